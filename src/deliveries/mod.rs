//! Raw deliveries: what the provider sent, byte for byte, and the outcome of each.
mod encoding;
mod expiry;
mod quota;
mod read;
mod stored;
mod watch;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::PgTransaction;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    db::column,
    jobs::{Channel, JobId},
    seal::{Place, Seal},
};

pub use encoding::{Undecodable, decoded, is_plain};
pub use expiry::{due, remove};
pub use quota::{Quota, within};
pub use read::{DeliveryFilter, DeliveryRow, count, find, list};
pub use stored::{DeliveryKey, Stored, decisive, stored};
pub use watch::{Quarantine, last_webhook_since, quarantine};

/// How a delivery was processed; the provider gets the response 200 in every case. `accepted`: it
/// finished the job, with a result or a failure. `duplicate`: the same body had already been
/// received for the same attempt. `late`: the job had already ended differently, or continues with
/// another attempt than the one that failed. `superseded`: another delivery had already brought a
/// result. `malformed`: it could not be parsed. `mismatch`: it names a different provider job.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    sqlx::Type,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    clap::ValueEnum,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Finished its job, with a result or a failure.
    Accepted,
    /// The same body had already been received for the same attempt.
    Duplicate,
    /// Its job had already ended differently, or continues with another attempt than the one that
    /// failed.
    Late,
    /// Another delivery had already brought a result.
    Superseded,
    /// It could not be parsed; quarantined.
    Malformed,
    /// It names a different provider job.
    Mismatch,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Superseded => "superseded",
            Self::Malformed => "malformed",
            Self::Mismatch => "mismatch",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Delivery {
    pub job_id: JobId,
    pub attempt: i32,
    pub via: Channel,
    pub headers: Map<String, Value>,
    /// As received, before any `Content-Encoding` is decoded.
    pub body: Bytes,
    /// SHA-256 of `body`.
    pub body_sha: [u8; 32],
    /// When its head arrived here; the replayed one's, when the replay began.
    pub arrived: Instant,
    /// The stored delivery that this one replays.
    pub replay_of: Option<Uuid>,
}

/// A delivery and what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Classified<'a> {
    pub delivery: &'a Delivery,
    pub outcome: Outcome,
    /// Why it was not accepted.
    pub reason: Option<&'a str>,
    /// Whether it is a result. Anything else may quote our request, with the URLs in it, and is sealed.
    pub is_result: bool,
}

impl Classified<'_> {
    /// The body, unless it is already stored. Equal bytes are stored once per attempt.
    fn new_bytes(&self) -> Option<&[u8]> {
        let is_known = self.outcome == Outcome::Duplicate || self.delivery.replay_of.is_some();
        (!is_known).then_some(&self.delivery.body[..])
    }

    /// The bytes to store.
    fn stored_bytes(&self, seal: &Seal, id: Uuid) -> Option<Cow<'_, [u8]>> {
        let bytes = self.new_bytes()?;
        Some(if self.is_result {
            Cow::Borrowed(bytes)
        } else {
            Cow::Owned(seal.seal(place(id), bytes))
        })
    }
}

fn place(id: Uuid) -> Place {
    Place { table: "deliveries", row: id }
}

/// Which of these bodies have already been received for the same attempt. Equal bytes about another attempt are a
/// different result. Exact only while the jobs' rows are locked.
pub async fn known(
    tx: &mut PgTransaction<'_>,
    deliveries: &[&Delivery],
) -> sqlx::Result<HashSet<(JobId, i32, Vec<u8>)>> {
    if deliveries.is_empty() {
        return Ok(HashSet::new());
    }
    let jobs: Vec<JobId> = deliveries.iter().map(|delivery| delivery.job_id).collect();
    let attempts: Vec<i32> = deliveries.iter().map(|delivery| delivery.attempt).collect();
    let shas: Vec<&[u8]> = deliveries.iter().map(|delivery| &delivery.body_sha[..]).collect();
    let rows = sqlx::query!(
        r#"
        select d.job_id as "job_id: JobId", d.attempt, d.body_sha from aftercall.deliveries d
        join unnest($1::uuid[], $2::int[], $3::bytea[]) as given (job_id, attempt, body_sha)
            on d.job_id = given.job_id and d.body_sha = given.body_sha
            and d.attempt = given.attempt
        "#,
        &jobs as &[JobId],
        &attempts,
        &shas as &[&[u8]],
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.job_id, row.attempt, row.body_sha)).collect())
}

/// Stores the deliveries, and counts them by the hour; returns when the accepted ones were received, by job. The bytes of
/// duplicates and replays are already stored.
///
/// A trigger would count them wherever they come from, but would have to copy their bodies.
pub async fn keep(
    tx: &mut PgTransaction<'_>,
    seal: &Seal,
    classified: &[Classified<'_>],
) -> sqlx::Result<HashMap<JobId, DateTime<Utc>>> {
    let ids = column(classified, |_| Uuid::now_v7());
    let bodies: Vec<_> =
        classified.iter().zip(&ids).map(|(j, id)| j.stored_bytes(seal, *id)).collect();
    let bytes = |j: &Classified<'_>| i32::try_from(j.delivery.body.len()).unwrap_or(i32::MAX);
    // Postgres's clock, less the time that this process has had them: no later than the transaction began.
    let rows = sqlx::query!(
        r#"
        with kept as (
            insert into aftercall.deliveries
                (job_id, id, attempt, via, outcome, reason, headers, body, body_sha, body_bytes,
                    replay_of, received_at, commit_ms, body_sealed)
            select d.job_id, d.id, d.attempt, d.via, d.outcome, d.reason, d.headers::json, d.body,
                d.body_sha, d.body_bytes, d.replay_of, d.received_at,
                least(extract(epoch from now() - d.received_at) * 1000, 2147483647),
                d.body_sealed
            from (
                select *, least(now(), clock_timestamp() - make_interval(secs => waited)) as received_at
                from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[],
                        $7::text[], $8::bytea[], $9::bytea[], $10::int[], $11::uuid[], $12::float8[],
                        $13::bool[])
                    as given (job_id, id, attempt, via, outcome, reason, headers, body, body_sha,
                        body_bytes, replay_of, waited, body_sealed)
            ) d
            returning job_id, via, outcome, body_bytes, received_at, commit_ms
        ), hours as (
            insert into aftercall.hour_changes
                (subject, hour, caller_id, outcome, via, counted, bytes, commit_ms)
            select 'delivery', aftercall.hour_of(received_at),
                '00000000-0000-0000-0000-000000000000', outcome, via, count(*), sum(body_bytes),
                coalesce(sum(commit_ms), 0)
            from kept
            group by aftercall.hour_of(received_at), outcome, via
        )
        select job_id as "job_id: JobId", received_at from kept where outcome = 'accepted'
        "#,
        &column(classified, |j| j.delivery.job_id) as &[JobId],
        &ids,
        &column(classified, |j| j.delivery.attempt),
        &column(classified, |j| j.delivery.via.name()) as &[&str],
        &column(classified, |j| j.outcome.name()) as &[&str],
        &column(classified, |j| j.reason) as &[Option<&str>],
        &column(classified, |j| Value::Object(j.delivery.headers.clone()).to_string()),
        &column(&bodies, |body| body.as_deref()) as &[Option<&[u8]>],
        &column(classified, |j| &j.delivery.body_sha[..]) as &[&[u8]],
        &column(classified, bytes),
        &column(classified, |j| j.delivery.replay_of) as &[Option<Uuid>],
        &column(classified, |j| j.delivery.arrived.elapsed().as_secs_f64()),
        &column(classified, |j| !j.is_result && j.new_bytes().is_some()),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.job_id, row.received_at)).collect())
}
