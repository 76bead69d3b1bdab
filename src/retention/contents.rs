//! `retention.contents`: uploaded recordings, and sealed URLs of recordings, of jobs that failed or timed out, which could
//! still be retried. Those of completed and canceled jobs are deleted at once.
use chrono::{DateTime, Utc};

use super::run::Run;
use crate::jobs::{self, JobId};

/// Recordings per batch; each may be tens of megabytes.
const BATCH: i64 = 50;

pub async fn apply(run: &mut Run<'_>, cutoff: DateTime<Utc>) -> sqlx::Result<()> {
    let mut after = JobId::MIN;
    loop {
        let Some(mut tx) = run.begin().await? else { return Ok(()) };
        let ids = jobs::lock_due_contents(&mut tx, cutoff, after, BATCH).await?;
        let removed = jobs::remove_contents(&mut tx, &ids).await?;
        tx.commit().await?;
        run.count([("job_contents", removed)]);
        let Some(last) = ids.last() else { break };
        after = *last;
    }
    let mut after = JobId::MIN;
    loop {
        let Some(mut tx) = run.begin().await? else { return Ok(()) };
        let last = jobs::delete_urls(&mut tx, cutoff, after, BATCH).await?;
        tx.commit().await?;
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}
