//! Creates monthly partitions `retention.partitions_ahead` months before they are needed.
use sqlx::PgPool;

use crate::{config::RetentionSettings, partitions};

/// Returns the number of missing partitions.
pub async fn apply(pool: &PgPool, settings: &RetentionSettings) -> sqlx::Result<i32> {
    partitions::ensure(pool, settings.partitions_ahead).await
}
