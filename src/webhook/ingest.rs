//! Micro-batches: deliveries that wait while one batch commits form the next one, so that many share the cost of a
//! commit and a single one does not wait.
//!
//! A batch that Postgres rejects is split in halves until the bad delivery is isolated.
use std::sync::Arc;

use serde_json::{Map, Value};
use sqlx::{PgConnection, PgPool};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::{Instant, timeout_at},
};

use tracing::Span;

use super::body::Body;
use crate::{
    config::{self, IngestSettings},
    db,
    deliveries::{Delivery, Outcome, Quota},
    jobs::{self, Announcer, Channel, Token},
    outcome::{self, Arrival, Interpretation},
    seal::Seal,
    supervise, telemetry,
};

/// Bytes of bodies after which a batch is full: sending it to Postgres takes several times as much memory, and long calls
/// gain nothing from waiting for each other.
const BATCH_BYTES: usize = 256 * 1024;

/// A delivery on its way to a batch.
#[derive(Debug)]
pub struct Item {
    pub token: Token,
    pub headers: Map<String, Value>,
    pub body: Body,
    /// When the head of its request arrived.
    pub arrived: Instant,
    pub reading: Interpretation,
    /// Of the request; it joins its job's trace once the job is known.
    pub span: Span,
    pub answer: oneshot::Sender<IngestResult>,
}

/// The result for a delivery; sent after its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestResult {
    Kept(Outcome),
    UnknownToken,
    /// Nothing was stored.
    NotStored,
}

impl IngestResult {
    /// As in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept(outcome) => outcome.name(),
            Self::UnknownToken => "unknown_token",
            Self::NotStored => "store_failed",
        }
    }
}

/// The receiving end of the queue, which stores deliveries.
pub struct Ingest {
    db: PgPool,
    announcer: Announcer,
    seal: Seal,
    settings: IngestSettings,
    queue: mpsc::Receiver<Item>,
}

impl Ingest {
    /// The queue, and the part that empties it.
    pub fn new(
        db: PgPool,
        announcer: Announcer,
        seal: Seal,
        settings: &IngestSettings,
    ) -> (mpsc::Sender<Item>, Self) {
        let (sender, queue) = mpsc::channel(settings.queue_max);
        (sender, Self { db, announcer, seal, settings: settings.clone(), queue })
    }

    /// Stores batches until the listener is closed and the queue is empty.
    pub async fn run(self) -> supervise::TaskResult {
        let queue = Arc::new(Mutex::new(self.queue));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..self.settings.writers {
            let (db, settings, queue) = (self.db.clone(), self.settings.clone(), queue.clone());
            let store = Store {
                announcer: self.announcer.clone(),
                seal: self.seal.clone(),
                quota: quota(&settings),
            };
            writers.spawn(async move {
                loop {
                    let batch = gather(&mut *queue.lock().await, &settings).await;
                    if batch.is_empty() {
                        return;
                    }
                    store.batch(&db, batch).await;
                }
            });
        }
        while let Some(ended) = writers.join_next().await {
            ended?;
        }
        Ok(())
    }
}

fn quota(settings: &IngestSettings) -> Quota {
    let bytes = config::bytes(settings.attempt_bytes);
    Quota { deliveries: settings.attempt_deliveries, bytes }
}

/// The waiting deliveries, at least one; none when the queue is closed and empty.
async fn gather(queue: &mut mpsc::Receiver<Item>, settings: &IngestSettings) -> Vec<Item> {
    let Some(first) = queue.recv().await else { return Vec::new() };
    let until = Instant::now() + settings.batch_wait;
    let mut bytes = first.body.bytes.len();
    let mut batch = vec![first];
    while batch.len() < settings.batch_max && bytes < BATCH_BYTES {
        let next = match queue.try_recv() {
            Ok(item) => Some(item),
            Err(_) if settings.batch_wait.is_zero() => None,
            Err(_) => timeout_at(until, queue.recv()).await.ok().flatten(),
        };
        let Some(item) = next else { break };
        bytes += item.body.bytes.len();
        batch.push(item);
    }
    batch
}

/// What storing a batch needs beside a connection.
struct Store {
    announcer: Announcer,
    seal: Seal,
    quota: Quota,
}

impl Store {
    /// Commits the batch and sends each delivery its result.
    async fn batch(&self, db: &PgPool, batch: Vec<Item>) {
        let commits = telemetry::Batch::begin();
        let mut answers = Vec::with_capacity(batch.len());
        let mut arrivals = Vec::with_capacity(batch.len());
        let tokens: Vec<&Token> = batch.iter().map(|item| &item.token).collect();
        let found = async {
            let mut db = db.acquire().await?;
            Ok((jobs::matching_attempts(&mut *db, &tokens).await?, db))
        };
        let (attempts, mut connection) = match found.await {
            Ok(found) => found,
            Err(error) => {
                report(&error);
                return batch
                    .into_iter()
                    .for_each(|item| tell(item.answer, IngestResult::NotStored));
            }
        };
        for (item, attempt) in batch.into_iter().zip(attempts) {
            let Some(attempt) = attempt else {
                tell(item.answer, IngestResult::UnknownToken);
                continue;
            };
            telemetry::continue_stored(&item.span, attempt.trace_context.as_deref());
            let delivery = Delivery {
                job_id: item.token.job_id,
                attempt: attempt.number,
                via: Channel::Webhook,
                headers: item.headers,
                body_sha: item.body.sha,
                body: item.body.bytes.clone(),
                arrived: item.arrived,
                replay_of: None,
            };
            let expected = attempt.provider_job_id;
            arrivals.push(Arrival { delivery, expected, reading: item.reading });
            answers.push((item.answer, item.body, item.span));
        }
        let outcomes = self.commit_or_split(&mut connection, &arrivals).await;
        // Bodies are dropped only here: their reserved memory is in use until now.
        let mut spans = Vec::new();
        for ((answer, _body, span), outcome) in answers.into_iter().zip(outcomes) {
            tell(answer, outcome);
            if commits.is_some() {
                spans.push((span, outcome.name()));
            }
        }
        if let Some(commits) = commits {
            commits.end(spans.iter().map(|(span, outcome)| (span, *outcome)));
        }
    }

    /// Returns results in the order of the arrivals. A delivery whose rows Postgres will never accept is stored as
    /// unreadable.
    async fn commit_or_split(
        &self,
        connection: &mut PgConnection,
        arrivals: &[Arrival],
    ) -> Vec<IngestResult> {
        let error = match self.commit(connection, arrivals).await {
            Ok(outcomes) => {
                let answer = |outcome: Option<Outcome>| {
                    outcome.map_or(IngestResult::UnknownToken, IngestResult::Kept)
                };
                return outcomes.into_iter().map(answer).collect();
            }
            Err(error) => error,
        };
        // Without a database each half would fail for the same reason.
        if !matches!(error, sqlx::Error::Database(_)) || db::is_unavailable(&error) {
            report(&error);
            return vec![IngestResult::NotStored; arrivals.len()];
        }
        if let [arrival] = arrivals {
            report(&error);
            if !db::is_about_data(&error)
                || matches!(arrival.reading, Interpretation::Unreadable(_))
            {
                return vec![IngestResult::NotStored];
            }
            let reading = Interpretation::Unreadable("Postgres rejected its rows".to_owned());
            let Arrival { delivery, expected, .. } = arrival;
            let aside = Arrival { delivery: delivery.clone(), expected: expected.clone(), reading };
            return Box::pin(self.commit_or_split(connection, &[aside])).await;
        }
        tracing::warn!(
            deliveries = arrivals.len(),
            "Postgres rejected a batch of deliveries; splitting it"
        );
        let (first, second) = arrivals.split_at(arrivals.len() / 2);
        let mut answers = Box::pin(self.commit_or_split(connection, first)).await;
        answers.extend(Box::pin(self.commit_or_split(connection, second)).await);
        answers
    }

    async fn commit(
        &self,
        db: &mut PgConnection,
        arrivals: &[Arrival],
    ) -> sqlx::Result<Vec<Option<Outcome>>> {
        if arrivals.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.announcer.begin_on(db).await?;
        let outcomes = outcome::apply(&mut tx, &self.seal, arrivals, self.quota).await?;
        tx.commit().await?;
        Ok(outcomes)
    }
}

fn tell(answer: oneshot::Sender<IngestResult>, what: IngestResult) {
    // A sender that has disconnected will deliver again, and its delivery will be a duplicate.
    let _ = answer.send(what);
}

fn report(error: &sqlx::Error) {
    tracing::error!(error = error as &dyn std::error::Error, "cannot store deliveries");
}
