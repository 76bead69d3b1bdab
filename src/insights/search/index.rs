//! The full-text index adds new utterances with a delay; until then, searches scan them one by one.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::supervise::TaskResult;

/// How long searches may have to scan new utterances one by one.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Flushes the index every second until `stop` is canceled; several processes may run it.
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

/// Moves pending entries into the index.
pub async fn flush_index(db: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("select aftercall.flush_search_index()").execute(db).await?;
    Ok(())
}
