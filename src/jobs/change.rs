//! Transactions that change jobs and announce it on commit.
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::{Acquire, PgTransaction, Postgres};
use tokio::sync::Notify;

/// Announces changes of jobs to the rest of the process. Clones reach the same listeners.
///
/// Every function here that writes an event either takes a [`Change`], whose commit announces it, or commits by itself
/// and takes an `Announcer`, so that no announcement can be forgotten. Correctness does not depend on announcements:
/// listeners also poll.
#[derive(Debug, Clone, Default)]
pub struct Announcer {
    changed: Arc<Notify>,
    queued: Arc<Notify>,
}

/// A transaction that changes jobs. Dropping it rolls back without an announcement.
#[derive(Debug)]
pub struct Change<'c> {
    tx: PgTransaction<'c>,
    announcer: Announcer,
    /// Whether it makes a job due immediately.
    queues: bool,
}

impl Announcer {
    /// Begins a transaction on a connection or a pool.
    pub async fn begin<'c>(
        &self,
        db: impl Acquire<'c, Database = Postgres>,
    ) -> sqlx::Result<Change<'c>> {
        Ok(Change { tx: db.begin().await?, announcer: self.clone(), queues: false })
    }

    /// Returns once jobs have changed since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns once jobs were queued since the last call, for the dispatcher.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    pub(super) fn tell_changed(&self) {
        self.changed.notify_one();
    }

    pub(super) fn tell_queued(&self) {
        self.queued.notify_one();
        self.changed.notify_one();
    }
}

impl Change<'_> {
    /// Commits, then announces the change.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await?;
        if self.queues {
            self.announcer.tell_queued();
        } else {
            self.announcer.tell_changed();
        }
        Ok(())
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
