//! Submissions that wait while one batch commits form the next one, so that many share the cost of a commit and a single
//! one does not wait. Deliveries do the same.
//!
//! A batch with an idempotency key that is taken is stored again without it. One that Postgres rejects is split in halves
//! until the bad submission is isolated.
use std::{collections::HashSet, sync::Arc};

use axum::response::Response;
use sqlx::PgConnection;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    dedupe::Enqueued,
    handler::{Pending, StoredResponse, stored},
};
use crate::{
    api::{ApiError, ApiState, idempotency},
    config::SubmissionsSettings,
    db,
    jobs::{self, Job, JobId, idempotency::Answered},
    supervise,
};

/// Bytes of bodies after which a batch is full.
const BATCH_BYTES: usize = 1024 * 1024;
/// Bytes of a body above which a submission has a transaction of its own: a commit is a small part of what it costs, and
/// others would have to wait for it.
const SHARED_BYTES: usize = 64 * 1024;

/// A submission on its way to a batch.
struct Item {
    pending: Pending,
    answer: oneshot::Sender<Outcome>,
}

/// What became of a submission in a batch.
enum Outcome {
    Stored(JobId, Response),
    /// Another request has used its idempotency key; nothing was stored.
    KeyTaken(Box<Pending>),
    Failed(Arc<sqlx::Error>),
}

/// What a submission that waits for its turn may still become.
pub enum Shared {
    Stored(JobId, Response),
    /// It needs a transaction of its own.
    Alone(Box<Pending>),
}

/// Hands over submissions. They need no limit of their own: each counts against `api.max_requests` and `api.memory` until it
/// is stored, even if its client has gone.
#[derive(Debug, Clone)]
pub struct Submissions(mpsc::Sender<Item>);

impl Submissions {
    /// Stores the submission together with others, if it may be.
    ///
    /// # Errors
    /// As without others.
    pub(super) async fn share(&self, pending: Pending) -> Result<Shared, ApiError> {
        let asks = pending.submission.dedupes || pending.submission.rejects_over_quota;
        if asks || pending.submission.media.is_some() || pending.bytes > SHARED_BYTES {
            return Ok(Shared::Alone(Box::new(pending)));
        }
        let (answer, answered) = oneshot::channel();
        let ended = || ApiError::Internal("the writer of submissions has ended".into());
        self.0.send(Item { pending, answer }).await.map_err(|_| ended())?;
        match answered.await.map_err(|_| ended())? {
            Outcome::Stored(id, response) => Ok(Shared::Stored(id, response)),
            Outcome::KeyTaken(pending) => Ok(Shared::Alone(pending)),
            Outcome::Failed(error) => Err(error.into()),
        }
    }
}

/// The receiving end of the queue, which stores submissions.
pub struct Writers {
    state: ApiState,
    settings: SubmissionsSettings,
    queue: mpsc::Receiver<Item>,
}

impl Writers {
    /// The queue, and the part that empties it. `max_requests`: concurrent requests of the process.
    pub fn new(
        state: ApiState,
        settings: &SubmissionsSettings,
        max_requests: usize,
    ) -> (Submissions, Self) {
        let (sender, queue) = mpsc::channel(max_requests);
        (Submissions(sender), Self { state, settings: settings.clone(), queue })
    }

    /// Stores batches until the listener is closed and the queue is empty.
    pub async fn run(self) -> supervise::TaskResult {
        let queue = Arc::new(Mutex::new(self.queue));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..self.settings.writers {
            let (state, queue) = (self.state.clone(), queue.clone());
            let batch_max = self.settings.batch_max;
            writers.spawn(async move { while write(&state, &queue, batch_max).await {} });
        }
        while let Some(ended) = writers.join_next().await {
            ended?;
        }
        Ok(())
    }
}

/// Stores one batch; `false` when the queue is closed and empty.
async fn write(state: &ApiState, queue: &Mutex<mpsc::Receiver<Item>>, batch_max: usize) -> bool {
    let mut queue = queue.lock().await;
    let Some(first) = queue.recv().await else { return false };
    // What arrives while there is no connection joins the batch, or else gets the same response without waiting as long.
    let connection = state.db.acquire().await;
    let (count, bytes) =
        if connection.is_ok() { (batch_max, BATCH_BYTES) } else { (usize::MAX, usize::MAX) };
    let batch = gather(first, &mut queue, count, bytes);
    drop(queue);
    match connection {
        Ok(mut connection) => store(state, &mut connection, batch).await,
        Err(error) => {
            let error = Arc::new(error);
            for item in batch {
                item.tell(StoreResult::Failed(error.clone()));
            }
        }
    }
    true
}

/// The first and what else waits, but not what its client has given up.
fn gather(first: Item, queue: &mut mpsc::Receiver<Item>, count: usize, bytes: usize) -> Vec<Item> {
    let mut sum = 0;
    let mut batch = Vec::new();
    let mut next = Some(first);
    while let Some(item) = next {
        if !item.answer.is_closed() {
            sum += item.pending.bytes;
            batch.push(item);
        }
        let is_full = batch.len() >= count || sum >= bytes;
        next = if is_full { None } else { queue.try_recv().ok() };
    }
    batch
}

/// An [`Outcome`] without its submission.
enum StoreResult {
    Stored(JobId, Response),
    KeyTaken,
    Failed(Arc<sqlx::Error>),
}

impl Item {
    /// A client that has disconnected may find its job later.
    fn tell(self, result: StoreResult) {
        let outcome = match result {
            StoreResult::Stored(id, response) => Outcome::Stored(id, response),
            StoreResult::KeyTaken => Outcome::KeyTaken(Box::new(self.pending)),
            StoreResult::Failed(error) => Outcome::Failed(error),
        };
        let _ = self.answer.send(outcome);
    }
}

/// Commits the batch and sends each submission its result.
async fn store(state: &ApiState, db: &mut PgConnection, batch: Vec<Item>) {
    let mut keys = HashSet::new();
    let (firsts, repeats): (Vec<_>, Vec<_>) = batch.into_iter().partition(|item| {
        let key = item.pending.key.as_ref();
        key.is_none_or(|key| keys.insert((key.caller_id, key.text.clone())))
    });
    let pending: Vec<&Pending> = firsts.iter().map(|item| &item.pending).collect();
    let results = commit_or_split(state, db, &pending).await;
    for (item, result) in firsts.into_iter().zip(results) {
        item.tell(result);
    }
    // The first one with the same key has been committed, or refused.
    for item in repeats {
        item.tell(StoreResult::KeyTaken);
    }
}

/// Returns results in the order of the batch.
async fn commit_or_split(
    state: &ApiState,
    db: &mut PgConnection,
    batch: &[&Pending],
) -> Vec<StoreResult> {
    let error = match commit(state, db, batch).await {
        Ok(Committed::All(stored)) => return stored,
        Ok(Committed::None { taken }) => {
            return Box::pin(commit_others(state, db, batch, |n| taken.contains(&n))).await;
        }
        Err(error) => error,
    };
    let has_key = |n: usize| batch.get(n).is_some_and(|it| it.key.is_some());
    if db::is_lock_timeout(&error) && (0..batch.len()).any(has_key) {
        return Box::pin(commit_others(state, db, batch, has_key)).await;
    }
    // Without a database each half would fail for the same reason.
    let is_rejected = matches!(error, sqlx::Error::Database(_)) && !db::is_unavailable(&error);
    if !is_rejected || batch.len() == 1 {
        let error = Arc::new(error);
        return batch.iter().map(|_| StoreResult::Failed(error.clone())).collect();
    }
    tracing::warn!(
        submissions = batch.len(),
        "Postgres rejected a batch of submissions; splitting it"
    );
    let (first, second) = batch.split_at(batch.len() / 2);
    let mut results = Box::pin(commit_or_split(state, db, first)).await;
    results.extend(Box::pin(commit_or_split(state, db, second)).await);
    results
}

/// Leaves those out whose keys are taken; each of them waits by itself for whoever has its key.
async fn commit_others(
    state: &ApiState,
    db: &mut PgConnection,
    batch: &[&Pending],
    is_taken: impl Fn(usize) -> bool,
) -> Vec<StoreResult> {
    let numbered = batch.iter().enumerate();
    let others: Vec<&Pending> =
        numbered.filter(|(n, _)| !is_taken(*n)).map(|(_, pending)| *pending).collect();
    let mut results = commit_or_split(state, db, &others).await.into_iter();
    let result = |n| if is_taken(n) { None } else { results.next() };
    (0..batch.len()).map(result).map(|it| it.unwrap_or(StoreResult::KeyTaken)).collect()
}

enum Committed {
    All(Vec<StoreResult>),
    /// Nothing was stored, since the keys of these submissions are taken.
    None {
        taken: Vec<usize>,
    },
}

async fn commit(
    state: &ApiState,
    db: &mut PgConnection,
    batch: &[&Pending],
) -> sqlx::Result<Committed> {
    if batch.is_empty() {
        return Ok(Committed::All(Vec::new()));
    }
    let new: Vec<_> = batch.iter().map(|it| it.new_job(state)).collect();
    if batch.iter().all(|it| it.key.is_none()) {
        // The statement commits by itself, which saves two round trips.
        let jobs = jobs::enqueue_alone(db, &state.announcer, &state.seal, &new).await?;
        let (ids, _, responses) = responses(jobs)?;
        return Ok(Committed::all(ids, responses));
    }
    let mut tx = state.announcer.begin_on(db).await?;
    let jobs = jobs::enqueue_all(&mut tx, &state.seal, &new).await?;
    let (ids, answers, responses) = responses(jobs)?;
    let keyed: Vec<usize> = (0..batch.len()).filter(|n| batch[*n].key.is_some()).collect();
    let answered = batch.iter().zip(&answers).filter_map(|(pending, answer)| {
        let StoredResponse { status, location, json } = answer;
        let status = i16::try_from(status.as_u16()).ok()?;
        Some(Answered { key: pending.key.as_ref()?, status, location, body: json })
    });
    let taken = idempotency::record_all(&mut tx, &answered.collect::<Vec<_>>()).await?;
    if !taken.is_empty() {
        tx.abandon().await?;
        return Ok(Committed::None { taken: taken.into_iter().map(|n| keyed[n]).collect() });
    }
    tx.commit().await?;
    Ok(Committed::all(ids, responses))
}

impl Committed {
    fn all(ids: Vec<JobId>, responses: Vec<Response>) -> Self {
        let both = ids.into_iter().zip(responses);
        Self::All(both.map(|(id, response)| StoreResult::Stored(id, response)).collect())
    }
}

type Responses = (Vec<JobId>, Vec<StoredResponse>, Vec<Response>);

/// What is stored of the responses, and what is sent.
fn responses(jobs: Vec<Job>) -> sqlx::Result<Responses> {
    let mut all = Responses::default();
    for job in jobs {
        let id = job.id;
        let response = stored(Enqueued::New(job));
        let (answer, response) = response.map_err(|error| sqlx::Error::Encode(error.into()))?;
        all.0.push(id);
        all.1.push(answer);
        all.2.push(response);
    }
    Ok(all)
}
