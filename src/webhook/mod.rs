//! Stage 3: the provider delivers results. A request on the public listener comes in; it is answered
//! 200 only once the delivery, and what it means for its job, are committed.
//!
//! Deliveries that arrive together commit together: see [`ingest`]. Who has not shown a good token gets
//! next to nothing: see `unproven.rs`.
mod body;
pub mod ingest;
mod memory;
mod receive;
mod shares;
mod tokens;
mod unknown_tokens;
mod unproven;

pub use body::Limits;
pub use memory::MemoryBudget;
pub use receive::{WebhookState, router};
pub use shares::Shares;
pub use tokens::{Lookups, Tokens};
pub use unknown_tokens::UnknownTokenLimiter;
pub use unproven::Unproven;
