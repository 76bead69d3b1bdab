//! Stage 3: the provider delivers results. A request on the public listener gets a 200 only once the delivery and its
//! effect on the job are committed.
//!
//! Deliveries that arrive together commit together: see [`ingest`]. Senders without a verified token get hardly any
//! resources: see `unproven.rs`.
mod body;
mod holder_limit;
pub mod ingest;
mod media;
mod memory;
mod receive;
mod tokens;
mod unknown_tokens;
mod unproven;

pub use body::Limits;
pub use holder_limit::HolderLimit;
pub use media::MediaFetches;
pub use memory::MemoryBudget;
pub use receive::{SelfTests, WebhookState, router};
pub use tokens::{Lookups, Tokens};
pub use unknown_tokens::UnknownTokenLimiter;
pub use unproven::Unproven;
