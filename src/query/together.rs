//! Results that are asked for while one statement runs are read by the next one: under load a
//! statement, a connection and their cost are shared by many, and alone nobody waits.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgPool;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::insights::{self, StoredResult};

/// Statements at once, each on its own connection: with one, whoever waits for it shares the next.
const LANES: usize = 1;
/// Results of one statement; each may be megabytes.
const MOST: usize = 16;

type Answer = sqlx::Result<Option<StoredResult>>;

struct Wanted {
    caller_id: Uuid,
    job_id: Uuid,
    answer: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Wanted>,
    lanes: usize,
}

/// Clones share one queue.
#[derive(Clone, Default)]
pub struct Together(Arc<Mutex<Queue>>);

impl Together {
    /// As [`insights::result`].
    pub async fn result(&self, db: &PgPool, caller_id: Uuid, job_id: Uuid) -> Answer {
        let (answer, answered) = oneshot::channel();
        let opens_lane = {
            let mut queue = self.queue();
            queue.waiting.push(Wanted { caller_id, job_id, answer });
            let opens_lane = queue.lanes < LANES;
            queue.lanes += usize::from(opens_lane);
            opens_lane
        };
        if opens_lane {
            // Not part of this request: it may be given up while others wait.
            tokio::spawn(Lane { together: self.clone(), has_ended: false }.run(db.clone()));
        }
        answered.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads until nobody waits.
struct Lane {
    together: Together,
    has_ended: bool,
}

impl Lane {
    async fn run(mut self, db: PgPool) {
        loop {
            let batch: Vec<Wanted> = {
                let mut queue = self.together.queue();
                if queue.waiting.is_empty() {
                    queue.lanes -= 1;
                    self.has_ended = true;
                    return;
                }
                let count = queue.waiting.len().min(MOST);
                queue.waiting.drain(..count).collect()
            };
            read(&db, batch).await;
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // Cut short: whoever is left without a lane is told so.
        let mut queue = self.together.queue();
        queue.lanes -= 1;
        if queue.lanes == 0 {
            queue.waiting.clear();
        }
    }
}

async fn read(db: &PgPool, batch: Vec<Wanted>) {
    let wanted: Vec<(Uuid, Uuid)> = batch.iter().map(|w| (w.caller_id, w.job_id)).collect();
    match insights::results(db, &wanted).await {
        Ok(found) => {
            for (wanted, result) in batch.into_iter().zip(found) {
                let _ = wanted.answer.send(Ok(result)); // whoever asked may have gone
            }
        }
        Err(_) => {
            for Wanted { caller_id, job_id, answer } in batch {
                let _ = answer.send(insights::result(db, caller_id, job_id).await);
            }
        }
    }
}
