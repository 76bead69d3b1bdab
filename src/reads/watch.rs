//! Looks at the replica every second: whether it can be used, and how far it is behind.
use std::{sync::Arc, time::Duration};

use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    replica::Replica,
    standing::{self, Found},
};
use crate::{
    metrics::{Metrics, ReplicaFault},
    supervise::TaskResult,
};

const INTERVAL: Duration = Duration::from_secs(1);
/// How long a look may take beyond the wait for the replica.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at the replica through a connection of its own, which requests cannot use up.
pub struct ReplicaWatch {
    replica: Arc<Replica>,
    metrics: Metrics,
    connection: Option<PgConnection>,
    /// `None` before the first look.
    known: Option<Result<(), ReplicaFault>>,
}

impl ReplicaWatch {
    pub(super) fn new(replica: Arc<Replica>, metrics: Metrics) -> Self {
        Self { replica, metrics, connection: None, known: None }
    }

    /// Looks until `stop` is canceled.
    pub async fn run(mut self, stop: CancellationToken) -> TaskResult {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.look() => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(INTERVAL) => {}
            }
        }
        Ok(())
    }

    async fn look(&mut self) {
        let now = self.find().await.and_then(|found| {
            match found {
                Found::CaughtUp => self.metrics.replica_lag(0, Some(0.0)),
                Found::Behind { bytes, age } => {
                    let seconds = age.map(|age| age.as_seconds_f64().max(0.0));
                    self.metrics.replica_lag(bytes, seconds);
                    return Err(ReplicaFault::Behind);
                }
                Found::NotAReplica => return Err(ReplicaFault::NotAReplica),
            }
            Ok(())
        });
        if !matches!(now, Ok(()) | Err(ReplicaFault::Behind)) {
            self.connection = None;
        }
        self.replica.declare(now.err());
        self.metrics.replica_usable(now.is_ok());
        if self.known.replace(now) != Some(now) {
            match now {
                Ok(()) => tracing::info!("reads go to the read replica"),
                Err(fault) => {
                    tracing::warn!(
                        reason = fault.name(),
                        "reads go to the primary instead of the read replica"
                    );
                }
            }
        }
    }

    /// Looks at the replica once.
    pub async fn find(&mut self) -> Result<Found, ReplicaFault> {
        let limit = self.replica.max_lag + PATIENCE;
        timeout(limit, self.find_patiently()).await.unwrap_or(Err(ReplicaFault::Unreachable))
    }

    async fn find_patiently(&mut self) -> Result<Found, ReplicaFault> {
        let replica = &self.replica;
        let position = replica.latest.position().await.ok_or(ReplicaFault::NoPosition)?;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let options = replica.pool.connect_options();
                none.insert(options.connect().await.map_err(|_| ReplicaFault::Unreachable)?)
            }
        };
        let found = standing::wait_for(connection, &position, replica.max_lag).await;
        found.map_err(|_| ReplicaFault::Unreachable)
    }
}
