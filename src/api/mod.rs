//! What the handlers of the REST API share: the state, the caller of a request, and the job it is about.
mod caller;
mod owned;
mod state;

pub use owned::OwnedJob;
pub use state::{ApiState, Shared};
