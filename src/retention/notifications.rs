//! `retention.notifications`: messages to endpoints. Those that are still to be sent stay.
use chrono::{DateTime, Utc};

use super::run::Run;
use crate::notifications;

/// Notifications per batch.
const BATCH: i64 = 2000;

pub async fn apply(run: &mut Run<'_>, cutoff: DateTime<Utc>) -> sqlx::Result<()> {
    loop {
        let Some(mut tx) = run.begin().await? else { return Ok(()) };
        let removed = notifications::remove(&mut **tx, cutoff, BATCH).await?;
        tx.commit().await?;
        run.count(removed.map(|(table, rows)| (table, rows.unsigned_abs())));
        if removed[0].1 < BATCH {
            return Ok(());
        }
    }
}
