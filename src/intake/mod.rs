//! Stage 1: callers hand over recordings. A request comes in; a queued job is in Postgres, or every
//! fault of the request is in the answer.
mod handler;
mod idempotency;
mod members;
mod submission;

pub use handler::router;
pub use submission::{Submission, known_members};
