//! Batches reads of results: requests that arrive while a statement runs share the next one. Under
//! load many requests share a statement and a connection; a single request does not wait.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{StoredResult, result, results};
use crate::{
    callers::CallerId,
    jobs::JobId,
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

/// Reads results, many requests with one statement. Clones share one queue.
#[derive(Debug, Clone, Default)]
pub struct ResultLoader(Arc<Mutex<Queue>>);

impl ResultLoader {
    /// Like [`result()`].
    pub async fn load(&self, reads: &Reads, caller_id: CallerId, job_id: JobId) -> LoadedResult {
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
