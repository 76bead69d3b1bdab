//! Reads the events that became visible since a snapshot.
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::{PgExecutor, PgPool, Postgres, QueryBuilder, types::Json};

use super::{Point, Snapshot};
use crate::{
    callers::CallerId,
    jobs::{EventKind, JobId, State},
};

/// A change of a job, with the identifiers its caller knows.
#[derive(Debug, Deserialize)]
pub struct Event {
    pub job_id: JobId,
    pub caller_id: CallerId,
    pub external_id: Option<String>,
    pub seq: i32,
    /// The name of an [`EventKind`], perhaps one of a newer version.
    pub kind: String,
    pub detail: Box<RawValue>,
    pub created_at: DateTime<Utc>,
    /// Its position among the events that became visible together.
    pub position: i64,
}

impl Event {
    /// The state it left its job in, if it changed the state.
    pub fn state(&self) -> Option<State> {
        EventKind::known(&self.kind)?.state()
    }
}

/// Which events to read.
#[derive(Debug, Clone, Copy)]
pub struct EventScope {
    pub caller_id: CallerId,
    /// Only events of this job.
    pub job_id: Option<JobId>,
}

/// Up to `limit` events of all callers that are not visible in `since`, and the snapshot that shows them.
pub async fn since(
    db: impl PgExecutor<'_>,
    since: &Snapshot,
    limit: i64,
) -> sqlx::Result<(Snapshot, Vec<Event>)> {
    read(db, since_query(since, limit)).await
}

/// The statement of [`since`].
pub fn since_query(since: &Snapshot, limit: i64) -> QueryBuilder<Postgres> {
    finished(unseen(since), limit)
}

/// Up to `limit` events that a stream at `from` has missed and that `from.until` shows.
pub async fn missed(
    db: &PgPool,
    whose: EventScope,
    from: &Point,
    limit: i64,
) -> sqlx::Result<Vec<Event>> {
    let (_, events) = read(db, missed_query(whose, from, limit)).await?;
    Ok(events)
}

/// The statement of [`missed`].
pub fn missed_query(whose: EventScope, from: &Point, limit: i64) -> QueryBuilder<Postgres> {
    let mut query = unseen(&from.since);
    query.push(" and pg_visible_in_snapshot(e.xid, ").push_bind(from.until.as_str().to_owned());
    query.push("::text::pg_snapshot) and e.position > ").push_bind(from.position);
    query.push(" and j.caller_id = ").push_bind(whose.caller_id);
    if let Some(job_id) = whose.job_id {
        query.push(" and e.job_id = ").push_bind(job_id);
    }
    finished(query, limit)
}

/// Begins a statement about events not visible in `since`: those of transactions that had not begun or not ended.
fn unseen(since: &Snapshot) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(
        "with new as (
            select e.job_id, j.caller_id, j.external_id, e.seq, e.kind, e.detail, e.created_at, e.position
            from aftercall.job_events e join aftercall.jobs j on j.id = e.job_id
            where (e.xid >= ",
    );
    query.push_bind(since.xmax().to_owned()).push("::text::xid8");
    let in_progress: Vec<String> = since.in_progress().into_iter().map(str::to_owned).collect();
    if !in_progress.is_empty() {
        query.push(" or e.xid = any(").push_bind(in_progress).push("::text[]::xid8[])");
    }
    query.push(")");
    query
}

/// Reads rows and snapshot in one statement, so that they are consistent.
fn finished(mut query: QueryBuilder<Postgres>, limit: i64) -> QueryBuilder<Postgres> {
    query.push(" order by e.position limit ").push_bind(limit).push(
        ") select pg_current_snapshot()::text,
            coalesce((select json_agg(new order by new.position) from new), '[]')",
    );
    query
}

async fn read(
    db: impl PgExecutor<'_>,
    mut query: QueryBuilder<Postgres>,
) -> sqlx::Result<(Snapshot, Vec<Event>)> {
    let row = query.build_query_as::<(String, Json<Vec<Event>>)>().fetch_one(db).await?;
    Ok((row.0.into(), row.1.0))
}

/// The current snapshot.
pub async fn snapshot(db: impl PgExecutor<'_>) -> sqlx::Result<Snapshot> {
    let text = sqlx::query_scalar!(r#"select pg_current_snapshot()::text as "snapshot!""#);
    Ok(text.fetch_one(db).await?.into())
}

/// Whether the snapshot is in the past: `false` for one from another cluster with higher transaction ids.
pub async fn is_past(db: &PgPool, moment: &Snapshot) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select $1::text::xid8 <= pg_snapshot_xmax(pg_current_snapshot()) as "is_past!""#,
        moment.xmax(),
    )
    .fetch_one(db)
    .await
}

/// Marks events with future transaction ids, as after a restore into another cluster, as already sent. Returns their
/// number.
pub async fn adopt_foreign_xids(db: &PgPool) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "update aftercall.job_events set xid = '2'
         where xid >= pg_snapshot_xmax(pg_current_snapshot())"
    );
    Ok(done.execute(db).await?.rows_affected())
}
