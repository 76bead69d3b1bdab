//! What the handlers of the REST API share: the state, and the caller of a request.
mod caller;
mod state;

pub use state::{ApiState, Shared};
