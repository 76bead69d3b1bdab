//! Stage 1: callers submit recordings. A request either results in a queued job in Postgres or in a
//! response that lists all of its errors.
mod actions;
mod batch;
mod body;
mod commands;
mod commits;
mod dedupe;
mod handler;
mod media;
mod notify;
mod recording;
mod speakers;
mod submission;
mod validation;

pub use body::SubmitJob;
pub use commits::{Submissions, Writers};
pub use submission::{Submission, known_members};

/// The operations with which callers change jobs.
pub fn router() -> utoipa_axum::router::OpenApiRouter<crate::api::ApiState> {
    let jobs = handler::router().merge(batch::router());
    jobs.merge(actions::router())
        .merge(commands::router())
        .merge(media::router())
        .merge(speakers::router())
}
