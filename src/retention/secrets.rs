//! Forgets secrets of endpoints that no longer sign.
use sqlx::PgPool;

use crate::endpoints;

pub async fn apply(db: &PgPool) -> sqlx::Result<()> {
    endpoints::tidy(db).await?;
    Ok(())
}
