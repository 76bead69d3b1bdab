//! Reads results: those in memory without a statement, and others many with one.
//!
//! Requests that arrive while a statement runs share the next one. Under load many requests share a statement and a
//! connection; a single request does not wait.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{StoredResult, result, results};
use crate::{
    callers::CallerId,
    jobs::{HotResult, HotResults, JobId},
    reads::{ReadConnection, Reads},
};

/// Maximum number of results per statement; each may be megabytes.
const MOST: usize = 16;

type LoadedResult = sqlx::Result<Option<StoredResult>>;

#[derive(Debug)]
struct Wanted {
    caller_id: CallerId,
    job_id: JobId,
    answer: oneshot::Sender<LoadedResult>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Wanted>,
    is_read: bool,
}

/// Reads results. Clones share one queue.
#[derive(Debug, Clone)]
pub struct ResultLoader {
    queue: Arc<Mutex<Queue>>,
    hot: HotResults,
}

impl ResultLoader {
    /// `hot`: to be asked first.
    pub fn new(hot: HotResults) -> Self {
        Self { queue: Arc::default(), hot }
    }

    /// Like [`result()`], or as long as it is known to be current, from memory.
    pub async fn load(
        &self,
        reads: &Reads,
        caller_id: CallerId,
        job_id: JobId,
    ) -> sqlx::Result<Option<HotResult>> {
        let mark = match self.hot.recall(caller_id, job_id) {
            Ok(known) => return Ok(Some(known)),
            Err(mark) => mark,
        };
        let Some(stored) = self.read(reads, caller_id, job_id).await? else { return Ok(None) };
        let result = stored.into();
        self.hot.keep(mark, caller_id, job_id, &result);
        Ok(Some(result))
    }

    async fn read(&self, reads: &Reads, caller_id: CallerId, job_id: JobId) -> LoadedResult {
        let (answer, answered) = oneshot::channel();
        let was_read = {
            let mut queue = self.queue();
            queue.waiting.push(Wanted { caller_id, job_id, answer });
            std::mem::replace(&mut queue.is_read, true)
        };
        if !was_read {
            // A separate task: this request may be dropped while others wait.
            tokio::spawn(BatchReader { loader: self.clone(), has_ended: false }.run(reads.clone()));
        }
        answered.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads until no request waits.
struct BatchReader {
    loader: ResultLoader,
    has_ended: bool,
}

impl BatchReader {
    async fn run(mut self, reads: Reads) {
        loop {
            let batch: Vec<Wanted> = {
                let mut queue = self.loader.queue();
                if queue.waiting.is_empty() {
                    queue.is_read = false;
                    self.has_ended = true;
                    return;
                }
                let count = queue.waiting.len().min(MOST);
                queue.waiting.drain(..count).collect()
            };
            read(&reads, batch).await;
        }
    }
}

impl Drop for BatchReader {
    fn drop(&mut self) {
        if !self.has_ended {
            // Aborted: remaining requests get an error.
            *self.loader.queue() = Queue::default();
        }
    }
}

async fn read(reads: &Reads, batch: Vec<Wanted>) {
    let wanted: Vec<(CallerId, JobId)> = batch.iter().map(|w| (w.caller_id, w.job_id)).collect();
    let all = async |mut db: ReadConnection| results(&mut *db, &wanted).await;
    match reads.run(all).await {
        Ok(found) => {
            for (wanted, result) in batch.into_iter().zip(found) {
                let _ = wanted.answer.send(Ok(result)); // the request may have been dropped
            }
        }
        Err(_) => {
            for Wanted { caller_id, job_id, answer } in batch {
                let one = async |mut db: ReadConnection| result(&mut *db, caller_id, job_id).await;
                let _ = answer.send(reads.run(one).await);
            }
        }
    }
}
