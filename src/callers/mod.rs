//! Callers: the internal apps and their API keys.
mod cache;
mod id;
mod keys;
mod scope;
mod watch;

pub use cache::KeyCache;
pub use id::CallerId;
pub use keys::{KeyRow, KeyTerms, NewKey, authenticate, create, keys, revoke};
pub use scope::{Scope, Scopes};
pub use watch::{KeyWatch, WatchedKey};

/// The internal app behind a request; every row read or written for it is scoped by its id.
#[derive(Debug, Clone)]
pub struct Caller {
    pub id: CallerId,
    pub name: String,
    pub key_id: String,
    /// What this key may do; see `Caller::require`, in `api/`.
    pub scopes: Scopes,
}
