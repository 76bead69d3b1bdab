//! Who may call: internal apps and their API keys.
mod extract;
mod keys;
mod known;
mod scope;
mod watch;

pub use extract::Caller;
pub use keys::{KeyRow, KeyTerms, NewKey, authenticate, create, keys, revoke};
pub use known::KnownCallers;
pub use scope::Scope;
pub use watch::{KeyWatch, WatchedKey};
