//! Month partitions exist `retention.partitions_ahead` months before rows come for them.
use sqlx::PgPool;

use crate::{config::RetentionSettings, db};

/// How many were missing.
pub async fn apply(pool: &PgPool, settings: &RetentionSettings) -> sqlx::Result<i32> {
    db::ensure_partitions(pool, settings.partitions_ahead).await
}
