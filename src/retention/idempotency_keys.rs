//! Keeps each Idempotency-Key and its response for 24 hours.
use sqlx::PgPool;

use crate::jobs::idempotency;

/// Returns the number of expired keys.
pub async fn apply(db: &PgPool) -> sqlx::Result<u64> {
    idempotency::delete_expired(db).await
}
