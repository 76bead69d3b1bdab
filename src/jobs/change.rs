//! Transactions that change jobs and announce it on commit.
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::{Connection as _, PgConnection, PgPool, PgTransaction};
use tokio::sync::Notify;

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
    metrics: Metrics,
}

/// A transaction that changes jobs. Dropping it rolls back without an announcement.
#[derive(Debug)]
pub struct Change<'c> {
    tx: PgTransaction<'c>,
    announcer: Announcer,
    /// Whether it makes a job due immediately.
    queues: bool,
    tally: Tally,
}

impl Announcer {
    /// Counts changes in these metrics; the default counts nothing.
    pub fn counting(metrics: Metrics) -> Self {
        Self { metrics, ..Self::default() }
    }

    pub async fn begin(&self, db: &PgPool) -> sqlx::Result<Change<'static>> {
        Ok(self.change(db::begin(db).await?))
    }

    /// Begins a transaction on a connection that is closed if that is canceled.
    pub async fn begin_on<'c>(&self, connection: &'c mut PgConnection) -> sqlx::Result<Change<'c>> {
        Ok(self.change(connection.begin().await?))
    }

    fn change<'c>(&self, tx: PgTransaction<'c>) -> Change<'c> {
        Change { tx, announcer: self.clone(), queues: false, tally: Tally::default() }
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
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await?;
        self.announcer.metrics.add(self.tally);
        if self.queues {
            self.announcer.tell_queued();
        } else {
            self.announcer.tell_changed();
        }
        Ok(())
    }

    /// What the commit counts.
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    pub fn metrics(&self) -> &Metrics {
        &self.announcer.metrics
    }

    /// Wakes the dispatcher on commit.
    pub(super) fn queues(&mut self) {
        self.queues = true;
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
