//! Endpoints: URLs at which callers want to be notified, with their secrets and their state.
mod event_type;

pub use event_type::EventType;
