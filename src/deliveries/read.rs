//! Deliveries as operators see them, for jobs of all callers.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{PgExecutor, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::{DeliveryKey, Outcome};
use crate::jobs::{Channel, JobId};

/// Which deliveries. Empty or `None` conditions do not apply.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DeliveryFilter {
    pub id: Option<Uuid>,
    pub outcomes: Vec<Outcome>,
    pub job_id: Option<JobId>,
    pub received_after: Option<DateTime<Utc>>,
    pub received_before: Option<DateTime<Utc>>,
    /// Whether it could not be used, and no replay of it could either.
    pub quarantined: Option<bool>,
    /// Excludes replays.
    pub originals: bool,
}

/// A delivery without its bytes.
#[derive(Debug, sqlx::FromRow)]
pub struct DeliveryRow {
    pub id: Uuid,
    pub job_id: JobId,
    /// Name of the caller that owns the job.
    pub caller: String,
    pub attempt: i32,
    pub via: Channel,
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub quarantined: bool,
    pub replay_of: Option<Uuid>,
    pub headers: Json<Map<String, Value>>,
    pub body_sha: Vec<u8>,
    pub body_bytes: i32,
    pub received_at: DateTime<Utc>,
}

impl DeliveryRow {
    pub fn key(&self) -> DeliveryKey {
        DeliveryKey { job_id: self.job_id, id: self.id, body_bytes: self.body_bytes }
    }
}

/// The delivery could not be used, and neither could any replay of it. The first two conditions
/// match an index. Counting replaces `not exists`, for which Postgres may hash the whole table.
const QUARANTINED: &str = "(d.outcome in ('malformed', 'mismatch') and d.via <> 'replay'
    and 0 = (
        select count(*) from aftercall.deliveries r
        where r.job_id = d.job_id and r.replay_of = d.id
          and r.outcome not in ('malformed', 'mismatch')))";

/// Up to `limit` deliveries, newest first, older than `before`.
pub async fn list(
    db: impl PgExecutor<'_>,
    filter: &DeliveryFilter,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<DeliveryRow>> {
    let mut query = rows();
    restrict(&mut query, filter);
    if let Some(id) = before {
        query.push(" and d.id < ").push_bind(id);
    }
    query.push(" order by d.id desc limit ").push_bind(limit);
    query.build_query_as().fetch_all(db).await
}

/// The number of deliveries that match the filter.
pub async fn count(db: impl PgExecutor<'_>, filter: &DeliveryFilter) -> sqlx::Result<i64> {
    let mut query = QueryBuilder::new("select count(*) from aftercall.deliveries d where true");
    restrict(&mut query, filter);
    query.build_query_scalar().fetch_one(db).await
}

/// The delivery with this id.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<DeliveryRow>> {
    let mut query = rows();
    restrict(&mut query, &DeliveryFilter { id: Some(id), ..DeliveryFilter::default() });
    query.build_query_as().fetch_optional(db).await
}

fn rows() -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(
        "select d.id, d.job_id, c.name as caller, d.attempt, d.via, d.outcome, d.reason,
            d.replay_of, d.headers, d.body_sha, d.body_bytes, d.received_at, ",
    );
    query.push(QUARANTINED).push(
        " as quarantined
        from aftercall.deliveries d
        join aftercall.jobs j on j.id = d.job_id
        join aftercall.callers c on c.id = j.caller_id
        where true",
    );
    query
}

/// Conditions that do not apply are left out of the statement, so that the planner finds the best
/// index.
fn restrict(query: &mut QueryBuilder<Postgres>, filter: &DeliveryFilter) {
    // Without `..`, so that the compiler reports a condition that is missing below.
    let DeliveryFilter {
        id,
        outcomes,
        job_id,
        received_after,
        received_before,
        quarantined,
        originals,
    } = filter;
    if let Some(id) = *id {
        query.push(" and d.id = ").push_bind(id);
    }
    if !outcomes.is_empty() {
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.name()).collect();
        query.push(" and d.outcome = any(").push_bind(names).push(")");
    }
    if let Some(id) = *job_id {
        query.push(" and d.job_id = ").push_bind(id);
    }
    // Ids come from clocks that may differ slightly from Postgres's.
    if let Some(at) = *received_after {
        query.push(" and d.received_at >= ").push_bind(at);
        query.push(" and d.id >= aftercall.uuid_floor(greatest('epoch', ").push_bind(at);
        query.push(" - interval '1 hour'))");
    }
    if let Some(at) = *received_before {
        query.push(" and d.received_at < ").push_bind(at);
        query.push(" and d.id < aftercall.uuid_floor(greatest('epoch', ").push_bind(at);
        query.push(" + interval '1 hour'))");
    }
    if let Some(is_quarantined) = *quarantined {
        query.push(if is_quarantined { " and " } else { " and not " }).push(QUARANTINED);
    }
    if *originals {
        query.push(" and d.via <> 'replay'");
    }
}
