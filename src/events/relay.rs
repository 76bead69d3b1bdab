//! Wakes the deliverer of notifications for what other processes commit.
use std::{convert::Infallible, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{CHANNEL, Listening, moved};
use crate::{db, jobs::Announcer, supervise::TaskResult};

/// Minimum time between two wake-ups, so that changes close together cause one.
const LEAST_WAIT: Duration = Duration::from_millis(20);
/// Pause before reconnecting.
const PAUSE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Listens until `stop` is canceled, on a connection of its own, if that is possible. Correctness does not depend on it, since
/// the deliverer also polls.
pub async fn relay(
    listening: Listening,
    announcer: Announcer,
    stop: CancellationToken,
) -> TaskResult {
    if !listening.is_possible {
        stop.cancelled().await;
        return Ok(());
    }
    loop {
        let Err(error) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            lost = listen(&listening.db, &announcer) => lost,
        };
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the deliverer lost its connection for wake-ups; reconnecting"
        );
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(PAUSE) => {}
        }
    }
}

async fn listen(db: &PgPool, announcer: &Announcer) -> sqlx::Result<Infallible> {
    // A new pool each time, so that a dead connection is not reused.
    let options = db.connect_options();
    let one = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.as_ref().clone());
    let mut listener = PgListener::connect_with(&one).await?;
    listener.listen(CHANNEL).await?;
    loop {
        announcer.tell_written();
        let earliest = Instant::now() + LEAST_WAIT;
        tokio::select! {
            notified = listener.try_recv() => { notified?; }
            () = db::replaced(db, &options) => return Err(moved()),
        }
        sleep_until(earliest).await;
        while listener.next_buffered().is_some() {}
    }
}
