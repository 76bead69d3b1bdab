//! Merges the changes recorded by job transitions into the statistics and the sums by the hour, a few seconds behind.
//! Queries are correct without it, but slower.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::{Metrics, Task},
    reporting, stats,
    supervise::TaskResult,
};

const INTERVAL: Duration = Duration::from_secs(2);
/// Changes merged per transaction.
const BATCH: i32 = 5000;

#[derive(Debug, Clone)]
pub struct Rollup {
    pub db: PgPool,
    pub metrics: Metrics,
}

impl Rollup {
    /// Merges every two seconds until `stop` is canceled; several processes may run it.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        self.metrics.starts(Task::Rollup);
        while !stop.is_cancelled() {
            let statistics = self.merge_statistics().await;
            let hours = self.merge_hours().await;
            let is_behind = statistics == BATCH || hours == BATCH;
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(INTERVAL), if !is_behind => {}
                else => {}
            }
        }
        Ok(())
    }

    /// Returns the number of merged changes.
    async fn merge_statistics(&self) -> i32 {
        match stats::merge(&self.db, BATCH).await {
            Ok(merged) => {
                self.metrics.succeeded(Task::Rollup);
                if merged.refused > 0 {
                    tracing::error!(
                        changes = merged.refused,
                        "set aside statistics changes that cannot be merged; see docs/operations.md"
                    );
                }
                merged.taken
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot merge statistics");
                0
            }
        }
    }

    /// Returns the number of merged changes.
    async fn merge_hours(&self) -> i32 {
        reporting::merge(&self.db, BATCH).await.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot merge sums by the hour");
            0
        })
    }
}
