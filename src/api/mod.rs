//! What the handlers of the REST API share: the state, the caller of a request, and the job it is about.
mod caller;
mod job;
mod owned;
pub mod paths;
pub mod problems;
mod state;

pub use job::{JobView, QueueView};
pub use owned::OwnedJob;
pub use paths::Links;
pub use state::{ApiState, Shared};
