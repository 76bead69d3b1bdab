//! The replica: its connections, and whether it can be used.
use std::time::Duration;

use sqlx::{PgPool, Postgres, pool::PoolConnection};
use tokio::sync::watch;

use super::{
    position::Latest,
    standing::{self, Found},
};
use crate::metrics::ReplicaFault;

/// Connections to the replica, and what is known of it.
#[derive(Debug)]
pub struct Replica {
    pub pool: PgPool,
    /// How long to wait for it to catch up.
    pub max_lag: Duration,
    pub latest: Latest,
    /// Why it cannot be used; `None`: it can.
    fault: watch::Sender<Option<ReplicaFault>>,
}

impl Replica {
    pub fn new(primary: PgPool, pool: PgPool, max_lag: Duration) -> Self {
        // Until it has been looked at.
        let fault = watch::Sender::new(Some(ReplicaFault::Unreachable));
        Self { pool, max_lag, latest: Latest::new(primary), fault }
    }

    /// A connection to a server that has everything that was committed before the call.
    ///
    /// Gives up at once when the replica turns out to be unusable meanwhile.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, ReplicaFault> {
        let mut fault = self.fault.subscribe();
        if let Some(fault) = *fault.borrow_and_update() {
            return Err(fault);
        }
        tokio::select! {
            acquired = self.acquire_caught_up() => acquired,
            Ok(fault) = fault.wait_for(Option::is_some) => {
                Err(fault.unwrap_or(ReplicaFault::Unreachable))
            }
        }
    }

    /// The connection that is checked is the one that is used: behind `read_url` may be several servers.
    async fn acquire_caught_up(&self) -> Result<PoolConnection<Postgres>, ReplicaFault> {
        let position = self.latest.position().await.ok_or(ReplicaFault::NoPosition)?;
        let mut connection = self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => ReplicaFault::Busy,
            _ => ReplicaFault::Unreachable,
        })?;
        let found = standing::wait_for(&mut connection, &position, self.max_lag).await;
        let fault = match found {
            Ok(Found::CaughtUp) => return Ok(connection),
            Ok(Found::Behind { .. }) => ReplicaFault::Behind,
            Ok(Found::NotAReplica) => ReplicaFault::NotAReplica,
            Err(_) => ReplicaFault::Unreachable,
        };
        if fault != ReplicaFault::Behind {
            connection.close_on_drop();
        }
        // The others need not wait, until the next look finds it well.
        self.declare(Some(fault));
        Err(fault)
    }

    /// From now on it can be used, or it cannot because of this.
    pub fn declare(&self, fault: Option<ReplicaFault>) {
        self.fault.send_if_modified(|known| std::mem::replace(known, fault) != fault);
    }
}
