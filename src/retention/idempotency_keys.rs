//! An Idempotency-Key and its answer are kept for 24 hours.
use sqlx::PgPool;

use crate::jobs::idempotency;

/// How many were older.
pub async fn apply(db: &PgPool) -> sqlx::Result<u64> {
    idempotency::delete_expired(db).await
}
