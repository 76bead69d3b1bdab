//! Stage 1: callers hand over recordings. A request comes in; a queued job is in Postgres, or every
//! fault of the request is in the answer.
mod batch;
mod body;
mod commands;
mod handler;
mod idempotency;
mod members;
mod speakers;
mod submission;

pub use body::SubmitJob;
pub use submission::{Submission, known_members};

/// What callers may do to jobs.
pub fn router() -> utoipa_axum::router::OpenApiRouter<crate::api::ApiState> {
    let jobs = handler::router().merge(batch::router());
    jobs.merge(commands::router()).merge(speakers::router())
}
