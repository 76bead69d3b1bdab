//! Who may call: internal apps and their API keys.
mod extract;
mod keys;
mod known;

pub use extract::Caller;
pub use keys::{KeyRow, NewKey, authenticate, create, keys, revoke};
pub use known::KnownCallers;
