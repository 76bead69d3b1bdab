//! Transactions that change jobs, and who hears of it.
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::{Acquire, PgTransaction, Postgres};
use tokio::sync::Notify;

/// Tells the rest of the process that jobs have changed. Clones tell the same listeners.
///
/// Every function here that writes an event takes a [`Change`], whose commit announces it, or commits by
/// itself and takes an `Announcer`: nobody can forget to. Nothing is correct because of it; whoever is
/// told also looks by itself.
#[derive(Debug, Clone, Default)]
pub struct Announcer {
    changed: Arc<Notify>,
    queued: Arc<Notify>,
}

/// A transaction that changes jobs. Dropped, it is rolled back, and nobody is told.
#[derive(Debug)]
pub struct Change<'c> {
    tx: PgTransaction<'c>,
    announcer: Announcer,
    /// Whether a job is due at once because of it.
    queues: bool,
}

impl Announcer {
    /// Begins a transaction on a connection, or on one of a pool.
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
    /// Commits, and then announces it.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await?;
        if self.queues {
            self.announcer.tell_queued();
        } else {
            self.announcer.tell_changed();
        }
        Ok(())
    }

    /// The dispatcher need not wait for its next look.
    pub(super) fn queues(&mut self) {
        self.queues = true;
    }
}

/// For everything else that the transaction reads and writes.
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
