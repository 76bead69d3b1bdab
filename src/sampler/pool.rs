//! How long a connection from the pool is waited for. Statements acquire theirs inside `sqlx`, which does not tell; a
//! probe waits in the same line.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{metrics::Metrics, supervise::TaskResult};

const INTERVAL: Duration = Duration::from_secs(1);

/// Acquires a connection every second until `stop` is canceled, and returns it at once. A wait that ends without one
/// counts as well.
pub async fn probe_pool(db: PgPool, metrics: Metrics, stop: CancellationToken) -> TaskResult {
    while !stop.is_cancelled() {
        let began = Instant::now();
        // The error is that of every other part, which reports it.
        drop(db.acquire().await);
        metrics.acquired(began.elapsed());
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(INTERVAL) => {}
        }
    }
    Ok(())
}
