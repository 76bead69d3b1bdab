//! Callers: the internal apps, their API keys, and their weights and quotas.
mod cache;
mod id;
mod issue;
mod keys;
mod limits;
mod list;
mod replicas;
mod scope;
mod watch;

pub use cache::KeyCache;
pub use id::CallerId;
pub use issue::{
    KeyTerms, LONGEST_LIFETIME, MAX_NAME, MAX_RATE, NewKey, Rolled, create, is_caller_name, roll,
};
pub use keys::{ValidKey, authenticate, revoke};
pub use limits::{CallerRow, LimitsChange, QUOTAS, WEIGHTS, all, find, set_limits};
pub use list::{KeyFilter, KeyRow, keys};
pub use replicas::Replicas;
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
    /// Requests per `keys.rate_window`; `None`: as many as `keys.rate_limit`.
    pub rate: Option<u32>,
    /// The key's own caller, when an operator's session looks at this one's data.
    pub operator: Option<String>,
}

impl Caller {
    /// Name of the caller that the key belongs to.
    pub fn key_owner(&self) -> &str {
        self.operator.as_ref().unwrap_or(&self.name)
    }
}
