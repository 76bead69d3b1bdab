//! Creates monthly partitions `retention.partitions_ahead` months before they are needed.
use sqlx::PgPool;

use crate::{config::RetentionSettings, db};

/// Returns the number of missing partitions.
pub async fn apply(pool: &PgPool, settings: &RetentionSettings) -> sqlx::Result<i32> {
    db::ensure_partitions(pool, settings.partitions_ahead).await
}
