//! Notifies the feeds of all replicas of changes.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::CHANNEL;
use crate::{jobs::Announcer, supervise::TaskResult};

/// Changes within this time share one notification.
const TOGETHER: Duration = Duration::from_millis(20);

/// Notifies the feeds whenever jobs have changed, until `stop` is canceled.
///
/// After commits, not inside transactions, because `notify` serializes commits. Correctness does not depend on it,
/// since feeds also poll.
pub async fn announce(db: PgPool, announcer: Announcer, stop: CancellationToken) -> TaskResult {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = announcer.changed() => {}
        }
        if let Err(error) = notify(&db).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "cannot notify listeners; they see the changes a second later");
        }
        sleep(TOGETHER).await;
    }
}

/// Nothing needs to be durable, so the commit does not wait for the disk.
async fn notify(db: &PgPool) -> sqlx::Result<()> {
    sqlx::query!(
        "select set_config('synchronous_commit', 'off', true), pg_notify($1, '')::text",
        CHANNEL,
    )
    .fetch_one(db)
    .await?;
    Ok(())
}
