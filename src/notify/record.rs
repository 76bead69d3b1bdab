//! Records ended attempts in batches: what has ended while a batch was being written is the next one.
use std::time::Duration;

use sqlx::PgPool;
use tokio::{
    sync::{Mutex, mpsc},
    time::{Instant, sleep},
};

use crate::{
    db,
    endpoints::PauseRules,
    jobs::Announcer,
    notifications::{self, Finished},
};

/// Attempts per transaction.
const BATCH: usize = 512;
/// How long a batch gathers after its first attempt has ended: a transaction costs much of what it costs however few it
/// records, and only lanes that are full wait for it.
const GATHER: Duration = Duration::from_millis(5);
/// Pause before a batch is tried again.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Recorder {
    pub db: PgPool,
    pub rules: PauseRules,
    /// For how long a batch is tried again: later, the leases have expired and others have sent the messages.
    pub lease: Duration,
    pub announcer: Announcer,
}

impl Recorder {
    /// Runs until all senders are gone and everything is recorded.
    pub async fn run(self, ended: mpsc::Receiver<Finished>) {
        let ended = Mutex::new(ended);
        // While one waits for its commit, the other writes.
        tokio::join!(self.record_all(&ended), self.record_all(&ended));
    }

    async fn record_all(&self, ended: &Mutex<mpsc::Receiver<Finished>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while gather(&mut *ended.lock().await, &mut batch).await {
            self.record(&batch).await;
            batch.clear();
        }
    }

    /// Records a batch, again and again while the database is unavailable. What is lost is sent again, with the same
    /// `webhook-id`.
    pub async fn record(&self, batch: &[Finished]) {
        let until = Instant::now() + self.lease;
        loop {
            match self.try_record(batch).await {
                Ok(()) => return,
                Err(error) if Instant::now() >= until => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot record notifications; they will be sent again");
                    return;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot record notifications; retrying");
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn try_record(&self, batch: &[Finished]) -> sqlx::Result<()> {
        let mut tx = db::begin(&self.db).await?;
        let arrivals = notifications::finish(&mut tx, batch, self.rules).await?;
        tx.commit().await?;
        // Their successors are due, and their lanes have room.
        self.announcer.tell_written();
        for arrival in
            arrivals.iter().filter(|it| it.kind == "job.completed" && it.nonce.is_empty())
        {
            self.announcer.metrics().notified(arrival.secs);
        }
        Ok(())
    }
}

/// False once all senders are gone.
async fn gather(ended: &mut mpsc::Receiver<Finished>, batch: &mut Vec<Finished>) -> bool {
    if ended.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    if batch.len() < BATCH {
        sleep(GATHER).await;
    }
    while batch.len() < BATCH
        && let Ok(one) = ended.try_recv()
    {
        batch.push(one);
    }
    true
}
