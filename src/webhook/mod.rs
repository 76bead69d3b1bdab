//! Stage 3: the provider delivers results. A request on the public listener comes in; it is answered
//! 200 only once the delivery, and what it means for its job, are committed.
mod body;
mod receive;

use sqlx::PgPool;

pub use receive::router;

/// What the receiver needs.
#[derive(Debug, Clone)]
pub struct WebhookState {
    pub db: PgPool,
    pub limits: Limits,
}

/// Most bytes of a delivery, as sent and once its compression is undone.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub raw: usize,
    pub inflated: usize,
}
