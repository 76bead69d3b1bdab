//! Replays: parses stored deliveries with the current parser and applies them as if they had arrived now.
//!
//! The original is not changed. Each replay adds a delivery and a timeline event; rows are locked as for a webhook, so
//! that concurrent changes cannot duplicate a result.
use std::collections::BTreeMap;

use serde_json::{Map, json};
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use super::batch;
use crate::{
    config::TextLimits,
    deliveries::{
        self, Delivery, DeliveryFilter, DeliveryKey, DeliveryRow, Outcome, Quota, Stored,
    },
    http::Limit,
    jobs::{self, Announcer, Channel, EventKind, Note},
    outcome::{self, Arrival, Interpretation},
    partitions,
    seal::Seal,
};

/// Bytes of bodies after which one call stops.
const CALL_BYTES: i32 = 32 * 1024 * 1024;

/// The options of a replay.
#[derive(Debug, Clone, Copy)]
pub struct Replayer<'a> {
    pub db: &'a PgPool,
    pub announcer: &'a Announcer,
    pub seal: &'a Seal,
    /// Limits for parsing a body.
    pub limits: TextLimits,
    /// Accept a delivery that names another job of the provider.
    pub accept_mismatch: bool,
    /// Who requested it, for the timeline.
    pub by: &'a str,
}

/// Outcomes of replays.
#[derive(Debug, Default)]
pub struct ReplaySummary {
    /// Number of replays per outcome.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Replays that Postgres rejected; they are only in the log.
    pub failed: usize,
    /// Where to continue; `None` at the end.
    pub next: Option<Uuid>,
}

impl Replayer<'_> {
    /// Number of deliveries that [`Replayer::page`] would replay in total.
    pub async fn matched(&self, filter: &DeliveryFilter) -> sqlx::Result<i64> {
        deliveries::count(self.db, &originals(filter)).await
    }

    /// Replays up to `limit` matching deliveries, newest first, older than `before`.
    pub async fn page(
        &self,
        filter: &DeliveryFilter,
        before: Option<Uuid>,
        limit: Limit,
    ) -> sqlx::Result<ReplaySummary> {
        let rows = deliveries::list(self.db, &originals(filter), before, limit.get() + 1).await?;
        let mut keys: Vec<DeliveryKey> = rows.iter().map(DeliveryRow::key).collect();
        keys.truncate(usize::try_from(limit.get()).unwrap_or(usize::MAX));
        keys.truncate(batch::fill(&keys, CALL_BYTES));
        let mut summary = ReplaySummary::default();
        let mut batches = batch::batches(&keys);
        batches.reverse();
        while let Some(batch) = batches.pop() {
            match self.batch(batch).await {
                Ok(outcomes) => {
                    for outcome in outcomes.into_iter().flatten() {
                        *summary.outcomes.entry(outcome.name()).or_default() += 1;
                    }
                }
                // Split, so that one bad delivery fails only itself.
                Err(sqlx::Error::Database(_)) if batch.len() > 1 => {
                    batches.extend(batch.rchunks(1));
                }
                Err(sqlx::Error::Database(error)) => {
                    tracing::error!(%error, delivery_id = %batch[0].id, "cannot replay the delivery");
                    summary.failed += 1;
                }
                Err(error) => return Err(error),
            }
        }
        summary.next = keys.last().filter(|_| keys.len() < rows.len()).map(|last| last.id);
        Ok(summary)
    }

    /// Replays these in one transaction; `None` where the job no longer exists.
    pub async fn batch(&self, keys: &[DeliveryKey]) -> sqlx::Result<Vec<Option<Outcome>>> {
        let read = batch::read(self.db, self.seal, keys, self.limits).await?;
        let arrivals: Vec<_> = read.into_iter().map(|read| self.arrival(read)).collect();
        let mut tx = self.announcer.begin(self.db).await?;
        let ids: Vec<_> = arrivals.iter().map(|arrival| arrival.delivery.job_id).collect();
        partitions::ensure_of(&mut tx, &ids).await?;
        let outcomes = outcome::apply(&mut tx, self.seal, &arrivals, Quota::UNLIMITED).await?;
        let notes = arrivals.iter().zip(&outcomes).filter_map(|(arrival, outcome)| {
            let Delivery { job_id, replay_of, .. } = arrival.delivery;
            let outcome = outcome.as_ref()?.name();
            let detail = json!({ "delivery": replay_of, "outcome": outcome, "by": self.by });
            Some(Note { job_id, kind: EventKind::Replayed, detail })
        });
        jobs::note(&mut tx, &notes.collect::<Vec<_>>()).await?;
        tx.commit().await?;
        Ok(outcomes)
    }

    fn arrival(&self, (stored, reading): (Stored, Interpretation)) -> Arrival {
        let expected = stored.provider_job_id.filter(|_| !self.accept_mismatch);
        let delivery = Delivery {
            job_id: stored.job_id,
            attempt: stored.attempt,
            via: Channel::Replay,
            headers: Map::new(),
            body: stored.body,
            body_sha: stored.body_sha,
            arrived: Instant::now(),
            replay_of: Some(stored.id),
        };
        Arrival { delivery, expected, reading }
    }
}

fn originals(filter: &DeliveryFilter) -> DeliveryFilter {
    DeliveryFilter { originals: true, ..filter.clone() }
}
