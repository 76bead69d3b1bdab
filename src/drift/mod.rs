//! Contract drift: what the provider sends beyond its known contract.
//!
//! Findings from deliveries are counted in memory and written every few seconds, so that no delivery waits for rows
//! that all of them share.
mod table;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

pub use table::{list, newest};

use crate::{db, jobs::JobId, metrics::Metrics, supervise::TaskResult};

const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Maximum number of rows, and of distinct findings in memory; one more stands for the rest.
const MOST_ROWS: usize = 500;

/// In what way a payload differs from the contract. `unknown_insight`: an insight with an unknown
/// name. `unknown_member`: an object with an unknown member. `unexpected_type`: a value of another
/// JSON type. `unknown_value`: a string that is not one of the known ones. `other`: differences
/// that are not listed because there are too many.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type, Serialize, utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = DriftKind)]
pub enum Kind {
    UnknownInsight,
    UnknownMember,
    UnexpectedType,
    UnknownValue,
    Other,
}

impl Kind {
    /// As written in JSON and in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownInsight => "unknown_insight",
            Self::UnknownMember => "unknown_member",
            Self::UnexpectedType => "unexpected_type",
            Self::UnknownValue => "unknown_value",
            Self::Other => "other",
        }
    }
}

/// One difference. Never contains a value from the body.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub kind: Kind,
    /// Such as `/response/utteranceInsights/*/insights/*`.
    pub path: String,
    /// Short and plain, whatever was sent.
    pub name: String,
    /// Types and names found there, as JSON.
    pub sample: Value,
}

impl Finding {
    /// Stands for findings beyond the limit.
    pub fn other() -> Self {
        Self { kind: Kind::Other, path: String::new(), name: String::new(), sample: Value::Null }
    }
}

/// A stored finding.
#[derive(Debug)]
pub struct Drift {
    pub kind: Kind,
    pub path: String,
    pub name: String,
    pub sample: Value,
    /// Number of deliveries that had it; for `other`, how often the limit was exceeded.
    pub deliveries: i64,
    pub first_seen_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub example_job_id: JobId,
}

/// Kind, path and name.
type Key = (Kind, String, String);

/// Counted but not written yet.
#[derive(Debug, Clone)]
struct Seen {
    sample: Value,
    deliveries: i64,
    example_job_id: JobId,
}

type Counts = BTreeMap<Key, Seen>;

/// Counts findings; clones share the counts.
#[derive(Debug, Clone)]
pub struct DriftCounter {
    counts: Arc<Mutex<Counts>>,
    metrics: Metrics,
    /// Lets the recorder wait until no counter is left.
    _in_use: TaskTrackerToken,
}

impl DriftCounter {
    /// Counts the findings of a delivery that was stored and is not a duplicate.
    pub fn note(&self, job_id: JobId, findings: Vec<Finding>) {
        if findings.is_empty() {
            return;
        }
        let mut counts = lock(&self.counts);
        for Finding { kind, path, name, sample } in findings {
            self.metrics.drifted(kind.name());
            let seen = Seen { sample, deliveries: 1, example_job_id: job_id };
            add(&mut counts, (kind, path, name), seen);
        }
    }
}

/// Writes the counts to the database.
#[derive(Debug)]
pub struct Recorder {
    db: PgPool,
    counts: Arc<Mutex<Counts>>,
    counters: TaskTracker,
}

impl Recorder {
    pub fn new(db: PgPool, metrics: Metrics) -> (DriftCounter, Self) {
        let counters = TaskTracker::new();
        let counts = Arc::<Mutex<Counts>>::default();
        (
            DriftCounter { counts: counts.clone(), metrics, _in_use: counters.token() },
            Self { db, counts, counters },
        )
    }

    /// Writes every few seconds until `stop` is canceled, and once more after the last delivery.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(WRITE_EVERY) => self.write().await,
            }
        }
        self.counters.close();
        self.counters.wait().await;
        self.write().await;
        Ok(())
    }

    /// Writes the counts since the last write; keeps them for the next one if that fails. A finding that the table
    /// rejects is dropped, so that it does not block the others.
    pub async fn write(&self) {
        let counted = std::mem::take(&mut *lock(&self.counts));
        if counted.is_empty() {
            return;
        }
        match table::add(&self.db, &counted).await {
            Ok(first_seen) => {
                for (kind, path, name) in first_seen {
                    tracing::warn!(
                        ?kind,
                        path,
                        name,
                        "the provider's payload differs from its contract"
                    );
                }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "drift not written");
                let kept = if db::is_about_data(&error) {
                    self.write_each(counted).await
                } else {
                    counted
                };
                let mut counts = lock(&self.counts);
                for (key, seen) in kept {
                    add(&mut counts, key, seen);
                }
            }
        }
    }

    /// Writes findings one by one; returns those to retry later.
    async fn write_each(&self, counted: Counts) -> Counts {
        let mut kept = Counts::new();
        for (key, seen) in counted {
            let alone = Counts::from([(key.clone(), seen.clone())]);
            match table::add(&self.db, &alone).await {
                Ok(_) => {}
                Err(error) if db::is_about_data(&error) => {
                    // Without its name, which may be what is wrong with it.
                    tracing::error!(
                        kind = ?key.0, deliveries = seen.deliveries,
                        "cannot record a difference from the provider's contract"
                    );
                }
                Err(_) => add(&mut kept, key, seen),
            }
        }
        kept
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds to the count of `key`, or of `other` when there are too many keys.
fn add(counts: &mut Counts, key: Key, seen: Seen) {
    let has_room = counts.len() < MOST_ROWS || counts.contains_key(&key);
    let key = if has_room { key } else { other() };
    counts
        .entry(key)
        .and_modify(|known| {
            known.deliveries += seen.deliveries;
            known.example_job_id = seen.example_job_id;
        })
        .or_insert(seen);
}

fn other() -> Key {
    let Finding { kind, path, name, .. } = Finding::other();
    (kind, path, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(name: &str) -> Finding {
        let path = "/response".to_owned();
        Finding { kind: Kind::UnknownMember, path, name: name.into(), sample: "string".into() }
    }

    #[tokio::test]
    async fn what_is_counted_at_once_is_bounded_and_nothing_is_lost() {
        let db = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://nowhere").unwrap();
        let (counter, recorder) = Recorder::new(db, Metrics::default());
        let most = i64::try_from(MOST_ROWS).unwrap();
        for n in 0..most + 10 {
            counter.note(JobId::MIN, vec![finding(&format!("n{n}")), finding("n0")]);
        }
        let counts = lock(&recorder.counts);
        assert_eq!(counts.len(), MOST_ROWS + 1);
        assert_eq!(counts[&other()].deliveries, 10);
        let total: i64 = counts.values().map(|seen| seen.deliveries).sum();
        assert_eq!(total, 2 * (most + 10));
    }
}
