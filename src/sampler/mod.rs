//! Samples the state of the service, one replica for all, and shows the latest sample in the metrics of this one.
mod pool;

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    config::AccountGate,
    metrics::{Metrics, SampledValue, Task},
    retention::Retention,
    samples::{self, Overdue, Samples},
    supervise::TaskResult,
};

pub use pool::probe_pool;

const INTERVAL: Duration = Duration::from_secs(15);
const TAKEN_AT: &str = "aftercall_samples_timestamp_seconds";

#[derive(Debug, Clone)]
pub struct Sampler {
    pub db: PgPool,
    pub gates: Vec<AccountGate>,
    pub retention: Retention,
    pub metrics: Metrics,
}

impl Sampler {
    /// Samples, or lets another replica do so, every 15 seconds until `stop` is canceled.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        self.metrics.starts(Task::Sampler);
        while !stop.is_cancelled() {
            match self.round().await {
                Ok(()) => self.metrics.succeeded(Task::Sampler),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot sample the state of the service");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(INTERVAL) => {}
            }
        }
        Ok(())
    }

    /// Samples once, unless another replica has just done so, and shows the result.
    pub async fn round(&self) -> sqlx::Result<()> {
        samples::take_with(&self.db, &self.gates, Some(self.overdue())).await?;
        if let Some(latest) = samples::latest(&self.db).await? {
            self.metrics.sampled(shown(&latest));
        }
        Ok(())
    }

    /// For how long retention has been due.
    pub async fn overdue(&self) -> sqlx::Result<Overdue> {
        let overdue = self.retention.overdue().await?;
        Ok(overdue.into_iter().map(|(kind, secs)| (kind.name(), secs)).collect())
    }
}

/// The values, and when they were taken.
fn shown(samples: &Samples) -> Vec<SampledValue> {
    let taken_at = SampledValue {
        name: TAKEN_AT.to_owned(),
        labels: Vec::new(),
        value: samples::timestamp(samples.taken_at),
    };
    let values = samples.values.iter().flat_map(|(name, samples)| {
        samples.iter().map(|sample| SampledValue {
            name: name.to_owned(),
            labels: sample.labels.clone().into_iter().collect(),
            value: sample.value,
        })
    });
    std::iter::once(taken_at).chain(values).collect()
}
