//! Forgets secrets of endpoints that no longer sign, and removes deleted endpoints.
use sqlx::PgPool;

use crate::endpoints;

/// Endpoints per batch.
const BATCH: i64 = 1000;

pub async fn apply(db: &PgPool) -> sqlx::Result<()> {
    endpoints::forget_secrets(db).await?;
    while endpoints::remove_deleted(db, BATCH).await? >= BATCH.unsigned_abs() {}
    Ok(())
}
