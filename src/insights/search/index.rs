//! The index of words takes in new utterances late; until then, searches read them one by one.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::supervise::TaskResult;

/// As long as searches may read new utterances one by one.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Flushes the index every second until `stop` is cancelled; several processes may.
pub async fn keep_index_flushed(db: PgPool, stop: CancellationToken) -> TaskResult {
    while !stop.is_cancelled() {
        if let Err(error) = flush_index(&db).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot flush the search index");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(FLUSH_EVERY) => {}
        }
    }
    Ok(())
}

/// Has the index take in what was written since.
pub async fn flush_index(db: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("select aftercall.flush_search_index()").execute(db).await?;
    Ok(())
}
