//! Retention, once an hour: creates partitions ahead of time and deletes expired rows. One file per rule;
//! [`Retention::apply`] calls each of them.
mod idempotency_keys;
mod partitions;

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{config::RetentionSettings, supervise::TaskResult};

const INTERVAL: Duration = Duration::from_hours(1);

#[derive(Debug, Clone)]
pub struct Retention {
    pub db: PgPool,
    pub settings: RetentionSettings,
}

impl Retention {
    /// Applies all rules every hour until `stop` is canceled; several processes may run it.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        while !stop.is_cancelled() {
            if let Err(error) = self.apply().await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "a retention rule failed");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(INTERVAL) => {}
            }
        }
        Ok(())
    }

    /// Applies every rule, even if others fail.
    ///
    /// # Errors
    /// The error of the first rule that failed.
    pub async fn apply(&self) -> sqlx::Result<()> {
        let Self { db, settings } = self;
        let partitions_made = partitions::apply(db, settings).await;
        let keys_deleted = idempotency_keys::apply(db).await;
        let (partitions_made, keys_deleted) = (partitions_made?, keys_deleted?);
        if partitions_made > 0 || keys_deleted > 0 {
            tracing::info!(partitions_made, keys_deleted, "retention rules applied");
        }
        Ok(())
    }
}
