//! `retention.media`: recordings that were uploaded on their own, after the end of the last job that used them; and what
//! is left in the store of recordings whose removal was asked for, or whose upload was interrupted.
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::run::Run;
use crate::media::{self, Store};

/// Recordings per batch; the store gets a request for each.
const BATCH: i64 = 100;

/// Marks the recordings that are due; [`MediaSweep`] deletes them.
pub async fn apply(run: &mut Run<'_>, cutoff: DateTime<Utc>) -> sqlx::Result<()> {
    let mut after = Uuid::nil();
    loop {
        let Some(mut tx) = run.begin().await? else { return Ok(()) };
        let ids = media::expire(&mut tx, cutoff, after, BATCH).await?;
        tx.commit().await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = *last;
    }
}

/// Deletes from the store what was marked as removed, and what interrupted uploads left behind.
#[derive(Debug, Clone)]
pub struct MediaSweep {
    pub store: Store,
    /// Age after which an upload that was never finished counts as interrupted.
    pub orphans_after: Duration,
}

impl MediaSweep {
    /// Each object goes before its row, so that none is forgotten. Several processes may do this at the same time.
    pub(super) async fn apply(&self, run: &mut Run<'_>) -> sqlx::Result<()> {
        if let Err(error) = self.store.sweep_spool(self.orphans_after).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "cannot delete what interrupted uploads left behind");
        }
        let mut after = Uuid::nil();
        loop {
            let due = media::due_for_removal(run.db, self.orphans_after, after, BATCH).await?;
            let Some(last) = due.iter().map(|it| it.id).max() else { return Ok(()) };
            after = last;
            let mut gone = Vec::new();
            for removed in &due {
                match removed.delete_from(&self.store).await {
                    Ok(()) => gone.push(removed.id),
                    Err(error) => {
                        run.metrics.store_failed("delete");
                        run.applied.is_cut_short = true;
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(
                            error,
                            "cannot delete a recording from the store; retrying later"
                        );
                    }
                }
            }
            let rows = media::forget(run.db, &gone).await?;
            run.count([("media", rows)]);
        }
    }
}
