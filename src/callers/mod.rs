//! Who may call: internal apps and their API keys.
mod extract;
mod keys;

pub use extract::Caller;
pub use keys::{KeyRow, NewKey, authenticate, create, keys, revoke};
