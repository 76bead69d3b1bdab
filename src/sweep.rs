//! Housekeeping: partitions ahead of the calendar, and rows whose time is over.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    config::RetentionSettings, db, insights::search, jobs::idempotency, supervise::Outcome,
};

const INTERVAL: Duration = Duration::from_hours(1);
/// As long as searches may read new utterances one by one.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct Sweeper {
    pub db: PgPool,
    pub settings: RetentionSettings,
}

impl Sweeper {
    /// Sweeps every hour until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) -> Outcome {
        while !stop.is_cancelled() {
            if let Err(error) = self.sweep().await {
                tracing::error!(error = &error as &dyn std::error::Error, "sweep not finished");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(INTERVAL) => {}
            }
        }
        Ok(())
    }

    /// Keeps the index of words settled until `stop` is cancelled.
    pub async fn settle(db: PgPool, stop: CancellationToken) -> Outcome {
        while !stop.is_cancelled() {
            if let Err(error) = search::settle(&db).await {
                tracing::error!(error = &error as &dyn std::error::Error, "index not settled");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(SETTLE_EVERY) => {}
            }
        }
        Ok(())
    }

    /// Does all it can; what fails keeps nothing else from being done.
    pub async fn sweep(&self) -> sqlx::Result<()> {
        let partitions = db::ensure_partitions(&self.db, self.settings.partitions_ahead).await;
        let forgotten = idempotency::forget_old(&self.db).await;
        let (partitions, forgotten) = (partitions?, forgotten?);
        if partitions > 0 || forgotten > 0 {
            tracing::info!(partitions, forgotten, "swept");
        }
        Ok(())
    }
}
