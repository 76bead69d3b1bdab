//! Tests the public webhook URL regularly, one replica at a time.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{SelfTestKey, probe, table};
use crate::{
    metrics::{Metrics, Task},
    supervise::TaskResult,
};

/// How often a replica checks whether a test is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct HookTester {
    pub db: PgPool,
    pub key: SelfTestKey,
    /// The URL at which the provider reaches the webhook listener.
    pub base: Url,
    /// Time between two tests of the same URL.
    pub interval: Duration,
    pub metrics: Metrics,
}

impl HookTester {
    /// Runs until `stop` is canceled; several processes may run it.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        self.metrics.starts(Task::HookTest);
        loop {
            match self.round().await {
                Ok(_) => self.metrics.succeeded(Task::HookTest),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot test the public webhook URL");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(LOOK_EVERY.min(self.interval)) => {}
            }
        }
    }

    /// Tests the URL if that is due and no other replica does; returns whether it did.
    pub async fn round(&self) -> sqlx::Result<bool> {
        if !table::claim(&self.db, self.interval).await? {
            return Ok(false);
        }
        let report = probe(&self.base, &self.key.token().await?).await;
        let is_news = table::store(&self.db, &report).await?;
        match report.faults.first() {
            Some(fault) => tracing::error!(%fault, "the public webhook URL fails its self-test"),
            None if is_news => tracing::info!("the public webhook URL passes its self-test"),
            None => {}
        }
        Ok(true)
    }
}
