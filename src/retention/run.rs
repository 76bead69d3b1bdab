//! One run of retention: months that are due as a whole are dropped, and other due rows deleted batch by batch.
//!
//! Each batch and each partition has a transaction of its own, which first reserves retention for this process, so that
//! two replicas never work at the same time. Whatever is interrupted is continued by the next run.
use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::Kind;
use crate::{
    jobs::{Announcer, Change, JobId},
    metrics::Metrics,
    partitions::{self, Detachment, Partition},
};

/// How often the lock of a partition is tried, and the pause in between: each attempt may hold up statements about the
/// table for 30 ms.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between two batches. Otherwise it is as long as the batch took, so that retention uses half of one
/// connection at most.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What a run has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Partitions created ahead of time.
    pub partitions_made: i32,
    pub partitions_dropped: u64,
    /// Deleted rows by table, including those of dropped partitions.
    pub rows: BTreeMap<&'static str, u64>,
    /// Something due is left, because another process was working on it or a lock was not available.
    pub is_cut_short: bool,
}

/// When a batch of a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// In a month that is due as a whole, before its partitions are dropped.
    BeforeDrop,
    /// In a month of which only some rows are due.
    Delete,
}

/// One batch: the last job that it was about, and the rows it deleted by table.
#[derive(Debug, Default)]
pub struct Batch {
    pub last: Option<JobId>,
    pub rows: Vec<(&'static str, u64)>,
}

impl Batch {
    pub fn of(ids: &[JobId]) -> Self {
        Self { last: ids.last().copied(), rows: Vec::new() }
    }

    pub fn count(&mut self, table: &'static str, rows: impl TryInto<u64>) {
        self.rows.push((table, rows.try_into().unwrap_or(0)));
    }
}

/// A rule about something that is stored by month.
pub trait MonthlyRule: Sync {
    /// Jobs that ended before are due.
    fn cutoff(&self) -> DateTime<Utc>;

    /// Whether it applies to a table.
    fn covers(&self, table: &str) -> bool;

    /// Whether it also applies to jobs of months without partitions.
    fn covers_all_months(&self) -> bool {
        false
    }

    /// Handles some due jobs with ids between these, excluded, the smallest first.
    fn batch(
        &self,
        step: Step,
        tx: &mut Change<'_>,
        between: (JobId, JobId),
    ) -> impl Future<Output = sqlx::Result<Batch>> + Send;
}

#[derive(Debug)]
pub struct Run<'a> {
    pub db: &'a PgPool,
    /// Quiet: feeds in this process have no waiters for old jobs, and poll.
    pub announcer: Announcer,
    pub metrics: &'a Metrics,
    pub applied: Applied,
}

impl Run<'_> {
    pub async fn apply<R: MonthlyRule>(&mut self, rule: &R) -> sqlx::Result<()> {
        let mut months: BTreeMap<DateTime<Utc>, Vec<Partition>> = BTreeMap::new();
        for partition in partitions::list(self.db).await? {
            if rule.covers(&partition.parent) && partition.starts_at < rule.cutoff() {
                months.entry(partition.starts_at).or_default().push(partition);
            }
        }
        let mut rest = Vec::new();
        for month in months.values() {
            let between = bounds(self.db, &month[0]).await?;
            if partitions::is_kept(self.db, &month[0], rule.cutoff()).await? {
                rest.push(between);
                continue;
            }
            self.batches(rule, Step::BeforeDrop, between).await?;
            for partition in month {
                self.drop(partition, rule.cutoff()).await?;
            }
        }
        if rule.covers_all_months() {
            rest = vec![(JobId::MIN, JobId::MAX)];
        }
        for between in rest {
            self.batches(rule, Step::Delete, between).await?;
        }
        Ok(())
    }

    async fn batches<R: MonthlyRule>(
        &mut self,
        rule: &R,
        step: Step,
        (mut after, before): (JobId, JobId),
    ) -> sqlx::Result<()> {
        loop {
            let since = Instant::now();
            let Some(mut tx) = self.begin().await? else { return Ok(()) };
            let batch = rule.batch(step, &mut tx, (after, before)).await?;
            tx.commit().await?;
            self.count(batch.rows);
            let Some(last) = batch.last else { return Ok(()) };
            after = last;
            sleep(since.elapsed().min(LONGEST_REST)).await;
        }
    }

    /// A transaction that has reserved retention; `None` if another process has.
    pub async fn begin(&mut self) -> sqlx::Result<Option<Change<'static>>> {
        let mut tx = self.announcer.begin(self.db).await?;
        if partitions::reserve_retention(&mut tx).await? {
            return Ok(Some(tx));
        }
        self.applied.is_cut_short = true;
        Ok(None)
    }

    /// Drops what an earlier run has detached and not dropped.
    pub async fn finish_dropping(&mut self) -> sqlx::Result<()> {
        for (parent, name, _) in partitions::detached(self.db).await? {
            self.drop_detached(&parent, &name).await?;
        }
        Ok(())
    }

    async fn drop(&mut self, partition: &Partition, cutoff: DateTime<Utc>) -> sqlx::Result<()> {
        for attempt in 1..=TRIES {
            match partitions::detach(self.db, partition, cutoff).await? {
                Detachment::Done => {
                    let name = format!("{}_detached", partition.name);
                    return self.drop_detached(&partition.parent, &name).await;
                }
                Detachment::Busy if attempt < TRIES => sleep(PAUSE).await,
                // A job of the month was changed just now: its rows stay, and the next run deletes the others.
                Detachment::Kept | Detachment::Busy => break,
            }
        }
        self.applied.is_cut_short = true;
        Ok(())
    }

    async fn drop_detached(&mut self, parent: &str, name: &str) -> sqlx::Result<()> {
        match partitions::drop_detached(self.db, name).await? {
            Some(rows) => {
                self.applied.partitions_dropped += 1;
                self.count(Kind::of_table(parent).map(|(_, table)| (table, rows)));
            }
            None => self.applied.is_cut_short = true,
        }
        Ok(())
    }

    pub fn count(&mut self, rows: impl IntoIterator<Item = (&'static str, u64)>) {
        for (table, rows) in rows.into_iter().filter(|(_, rows)| *rows > 0) {
            *self.applied.rows.entry(table).or_default() += rows;
            self.metrics.rows_deleted(table, rows);
        }
    }
}

/// The ids right around those of a month's jobs.
async fn bounds(db: &PgPool, month: &Partition) -> sqlx::Result<(JobId, JobId)> {
    let (first, end) = partitions::bounds(db, month).await?;
    Ok((first.before(), end))
}
