//! Stage 1: callers hand over recordings. A request comes in; a queued job is in Postgres, or every
//! fault of the request is in the answer.
mod batch;
mod commands;
mod handler;
mod idempotency;
mod members;
mod submission;

pub use submission::{Submission, known_members};

/// What callers may do to jobs.
pub fn router() -> utoipa_axum::router::OpenApiRouter<crate::http::ApiState> {
    handler::router().merge(batch::router()).merge(commands::router())
}
