//! `retention.results`: results as documents and rows, with the names of speakers. Their jobs stay, and say when the
//! results expired.
//!
//! A result expires when its job is marked, whatever is left of it then: the rows of a month that is due as a whole are
//! dropped with their partitions once all of its jobs are marked.
use chrono::{DateTime, Utc};

use super::{
    Kind,
    run::{Batch, MonthlyRule, Run, Step},
};
use crate::{
    insights,
    jobs::{self, Change, JobId},
    partitions, stats,
};

/// Jobs per batch; each has hundreds of rows.
const BATCH: i64 = 100;
const MARKED: i64 = 1000;
/// Sums of insight values deleted at a time.
const SUMS: i64 = 5000;

#[derive(Debug)]
pub struct Results {
    pub cutoff: DateTime<Utc>,
    /// Jobs that ended before have no timeline any more.
    pub timeline_cutoff: Option<DateTime<Utc>>,
}

impl MonthlyRule for Results {
    fn cutoff(&self) -> DateTime<Utc> {
        self.cutoff
    }

    fn covers(&self, table: &str) -> bool {
        Kind::Results.tables().contains(&table)
    }

    async fn batch(
        &self,
        step: Step,
        tx: &mut Change<'_>,
        between: (JobId, JobId),
    ) -> sqlx::Result<Batch> {
        if step == Step::BeforeDrop {
            let ids = jobs::lock_due(tx, self.cutoff, between, true, MARKED).await?;
            self.expire(tx, &ids).await?;
            return Ok(Batch::of(&ids));
        }
        let ids = insights::lock_due(tx, self.cutoff, between, BATCH).await?;
        stats::uncount_texts(tx, &ids).await?;
        self.expire(tx, &ids).await?;
        let mut batch = Batch::of(&ids);
        for (table, rows) in insights::remove(tx, &ids).await? {
            batch.count(table, rows);
        }
        Ok(batch)
    }
}

impl Results {
    async fn expire(&self, tx: &mut Change<'_>, ids: &[JobId]) -> sqlx::Result<()> {
        partitions::ensure_of(tx, ids).await?;
        jobs::expire_results(tx, ids, self.timeline_cutoff).await
    }
}

/// Deletes the sums of insight values of the months whose results were dropped; those of deleted rows were subtracted
/// one by one. All other sums stay.
pub async fn forget_texts(run: &mut Run<'_>) -> sqlx::Result<()> {
    let partitions = partitions::list(run.db).await?;
    let months = partitions.into_iter().filter(|it| it.parent == "results");
    let Some(oldest) = months.map(|month| month.starts_at).min() else { return Ok(()) };
    loop {
        let Some(mut tx) = run.begin().await? else { return Ok(()) };
        let sums = stats::forget_texts(&mut tx, oldest, SUMS).await?;
        tx.commit().await?;
        run.count([("stats", sums)]);
        if sums == 0 {
            return Ok(());
        }
    }
}
