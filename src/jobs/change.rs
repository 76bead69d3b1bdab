//! Transactions that change jobs and announce it on commit.
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::{Connection as _, PgConnection, PgPool, PgTransaction};
use tokio::sync::Notify;

use super::{HotResults, JobId, RESULTS_CHANNEL};
use crate::{
    db,
    metrics::{Metrics, Tally},
};

/// Announces changes of jobs to the rest of the process, and counts them. Clones reach the same listeners.
///
/// Every function here that writes an event either takes a [`Change`], whose commit announces it, or commits by itself
/// and takes an `Announcer`, so that no announcement can be forgotten. Correctness does not depend on announcements:
/// listeners also poll.
#[derive(Debug, Clone, Default)]
pub struct Announcer {
    changed: Arc<Notify>,
    queued: Arc<Notify>,
    written: Arc<Notify>,
    hot: HotResults,
    metrics: Metrics,
}

/// A transaction that changes jobs. Dropping it rolls back without an announcement.
#[derive(Debug)]
pub struct Change<'c> {
    tx: PgTransaction<'c>,
    announcer: Announcer,
    /// Whether it makes a job due immediately.
    queues: bool,
    changed_results: ChangedResults,
    tally: Tally,
}

/// Forgets the results of these jobs when it is dropped, in whatever way the transaction ended.
#[derive(Debug)]
struct ChangedResults {
    of_jobs: Vec<JobId>,
    hot: HotResults,
}

impl Announcer {
    /// Counts changes in these metrics; the default counts nothing.
    pub fn counting(metrics: Metrics) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// Has changes of results make these ones forgotten before anyone is told of the commit.
    #[must_use]
    pub fn forgetting(self, hot: HotResults) -> Self {
        Self { hot, ..self }
    }

    /// For changes that nobody waits for, and that are not counted: they are announced to nobody, but the results that
    /// they change are forgotten.
    #[must_use]
    pub fn quiet(&self) -> Self {
        Self::default().forgetting(self.hot.clone())
    }

    pub async fn begin(&self, db: &PgPool) -> sqlx::Result<Change<'static>> {
        Ok(self.change(db::begin(db).await?))
    }

    /// Begins a transaction on a connection that is closed if that is canceled.
    pub async fn begin_on<'c>(&self, connection: &'c mut PgConnection) -> sqlx::Result<Change<'c>> {
        Ok(self.change(connection.begin().await?))
    }

    fn change<'c>(&self, tx: PgTransaction<'c>) -> Change<'c> {
        let changed_results = ChangedResults { of_jobs: Vec::new(), hot: self.hot.clone() };
        let announcer = self.clone();
        Change { tx, announcer, queues: false, changed_results, tally: Tally::default() }
    }

    /// Returns once jobs have changed since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns once jobs were queued since the last call, for the dispatcher.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// Returns once notifications may have become due since the last call, for their deliverer.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Wakes the deliverer, also for what other processes wrote.
    pub fn tell_written(&self) {
        self.written.notify_one();
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn tell_changed(&self) {
        self.changed.notify_one();
        self.written.notify_one();
    }

    pub(super) fn tell_queued(&self) {
        self.queued.notify_one();
        self.tell_changed();
    }
}

impl Change<'_> {
    /// Commits, then announces and counts the change.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        self.notify_of_results().await?;
        self.tx.commit().await?;
        drop(self.changed_results);
        self.announcer.metrics.add(self.tally);
        if self.queues {
            self.announcer.tell_queued();
        } else {
            self.announcer.tell_changed();
        }
        Ok(())
    }

    /// Rolls back at once: the connection is used again.
    pub async fn abandon(self) -> sqlx::Result<()> {
        self.tx.rollback().await
    }

    /// What the commit counts.
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    pub fn metrics(&self) -> &Metrics {
        &self.announcer.metrics
    }

    /// Has the commit make all processes forget the results of these jobs. For whoever replaces or deletes one.
    pub fn changes_results(&mut self, of_jobs: &[JobId]) {
        self.changed_results.of_jobs.extend(of_jobs);
    }

    /// In the transaction, so that no change is committed without its notification; unlike announcements, which are too
    /// many for that.
    async fn notify_of_results(&mut self) -> sqlx::Result<()> {
        let of_jobs = &mut self.changed_results.of_jobs;
        if of_jobs.is_empty() {
            return Ok(());
        }
        of_jobs.sort_unstable();
        of_jobs.dedup();
        // A payload is shorter than 8000 bytes.
        sqlx::query!(
            r#"
            select pg_notify($1, string_agg(job_id::text, ','))::text
            from unnest($2::uuid[]) with ordinality as o (job_id, n) group by (n - 1) / 200
            "#,
            RESULTS_CHANNEL,
            of_jobs as &[JobId],
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Wakes the dispatcher on commit.
    pub(super) fn queues(&mut self) {
        self.queues = true;
    }
}

impl Drop for ChangedResults {
    fn drop(&mut self) {
        self.hot.forget(self.of_jobs.drain(..));
    }
}

/// For all other reads and writes of the transaction.
impl<'c> Deref for Change<'c> {
    type Target = PgTransaction<'c>;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tx
    }
}
