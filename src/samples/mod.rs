//! The state of the service as a whole: one replica samples it for all of them, into one row.
//!
//! [`take`] gathers the values from the modules that own the tables, by statements that read the jobs in progress, some
//! rows found by an index, and catalogs. None reads more as more finished jobs are stored.
mod database;
mod gather;

use std::{collections::BTreeMap, future::Ready};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, PgPool, PgTransaction, types::Json};

pub use gather::{gather, timestamp};

use crate::{config::AccountGate, db};

/// No replica samples again within this time, in seconds; each tries every 15.
const FRESH_SECS: f64 = 14.0;
/// Longest run time of a statement that samples.
const TIMEOUT: &str = "5s";
const OVERDUE: &str = "aftercall_retention_overdue_seconds";

/// For how many seconds retention has been due, by kind.
pub type Overdue = Vec<(&'static str, f64)>;

/// What was sampled, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    pub taken_at: DateTime<Utc>,
    pub values: Values,
}

/// Values by the name of their metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(BTreeMap<String, Vec<Sample>>);

/// A value of a metric, for one combination of its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Values {
    /// The value of a metric for these labels, if it was sampled.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            sample.labels.len() == labels.len()
                && labels.iter().all(|(k, v)| sample.labels.get(*k).is_some_and(|it| it == v))
        };
        self.of(name).iter().find(has).map(|sample| sample.value)
    }

    /// All values of a metric.
    pub fn of(&self, name: &str) -> &[Sample] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Sample])> {
        self.0.iter().map(|(name, samples)| (name.as_str(), samples.as_slice()))
    }

    /// Takes over the values of a metric.
    fn carry(&mut self, name: &str, from: &Self) {
        if let Some(samples) = from.0.get(name) {
            self.0.insert(name.to_owned(), samples.clone());
        }
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.0.entry(name.to_owned()).or_default().push(Sample { labels, value });
    }
}

/// The latest sample; `None` until the first one is taken.
pub async fn latest(db: impl PgExecutor<'_>) -> sqlx::Result<Option<Samples>> {
    let row = sqlx::query!(
        r#"
        select taken_at, samples as "values: Json<Values>" from aftercall.service_samples
        where taken_at > 'epoch'
        "#
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Samples { taken_at: row.taken_at, values: row.values.0 }))
}

/// Samples the service, unless another replica is doing so or has just done so. Returns whether it did. For how long
/// retention has been due stays as it was sampled last.
pub async fn take(db: &PgPool, gates: &[AccountGate]) -> sqlx::Result<bool> {
    take_with(db, gates, None::<Ready<sqlx::Result<Overdue>>>).await
}

/// The same, with what retention has left, which is awaited only if this process samples.
pub async fn take_with(
    db: &PgPool,
    gates: &[AccountGate],
    overdue: Option<impl Future<Output = sqlx::Result<Overdue>> + Send>,
) -> sqlx::Result<bool> {
    let mut tx = db::begin(db).await?;
    let Some(previous) = claim(&mut tx).await? else { return Ok(false) };
    let mut values = gather(&mut tx, gates, &previous).await?;
    match overdue {
        Some(overdue) => {
            for (kind, secs) in overdue.await? {
                values.add(OVERDUE, &[("kind", kind)], secs);
            }
        }
        None => values.carry(OVERDUE, &previous.values),
    }
    sqlx::query!(
        "update aftercall.service_samples set taken_at = now(), samples = $1",
        Json(values) as _
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Locks the row if its sample is old enough to be replaced, and limits the statements that follow.
async fn claim(tx: &mut PgTransaction<'_>) -> sqlx::Result<Option<Samples>> {
    sqlx::query!(r#"select set_config('statement_timeout', $1, true) as "set!""#, TIMEOUT)
        .fetch_one(&mut **tx)
        .await?;
    let row = sqlx::query!(
        r#"
        select taken_at, samples as "values: Json<Values>" from aftercall.service_samples
        where taken_at < now() - make_interval(secs => $1)
        for update skip locked
        "#,
        FRESH_SECS,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Samples { taken_at: row.taken_at, values: row.values.0 }))
}
