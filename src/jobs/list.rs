//! A caller's jobs, page by page.
use chrono::{DateTime, Utc};
use sqlx::{PgTransaction, Postgres, QueryBuilder};

use super::{Job, JobFilter, JobId};
use crate::callers::CallerId;

/// The order of a list, and the position where the previous page ended.
///
/// Ids follow creation time. Neither an id nor a completed job's end ever changes, so page boundaries are stable.
#[derive(Debug, Clone, Copy)]
pub enum ListPosition {
    /// Newest first, older than this.
    Before(Option<JobId>),
    /// Oldest first, newer than this.
    After(Option<JobId>),
    /// Completed jobs only, last completed first, before this end of this job.
    CompletedBefore(Option<(DateTime<Utc>, JobId)>),
}

const COLUMNS: &str = "select j.id, j.external_id, j.tags, j.metadata, j.request, \
    j.media_id, j.state, j.version, j.completed_via, j.error, j.created_at, j.deadline_at, j.submitted_at, \
    j.finished_at, j.result_expired_at, j.notify, (select count(*) from aftercall.attempts a where a.job_id = j.id) as attempts";

/// The statement of [`list`] and [`JobExport`](super::JobExport).
pub fn statement(
    caller_id: CallerId,
    filter: &JobFilter,
    position: ListPosition,
    limit: Option<i64>,
) -> QueryBuilder<Postgres> {
    select(COLUMNS, caller_id, filter, position, limit)
}

fn select(
    columns: &'static str,
    caller_id: CallerId,
    filter: &JobFilter,
    position: ListPosition,
    limit: Option<i64>,
) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(columns);
    filter.push(&mut sql, caller_id);
    match position {
        ListPosition::Before(id) => {
            if let Some(id) = id {
                filter.push_id(&mut sql, "<", id);
            }
            sql.push(" order by j.id desc");
        }
        ListPosition::After(id) => {
            if let Some(id) = id {
                filter.push_id(&mut sql, ">", id);
            }
            sql.push(" order by j.id");
        }
        ListPosition::CompletedBefore(end) => {
            sql.push(" and j.state = 'completed'");
            if let Some((finished_at, id)) = end {
                sql.push(" and (j.finished_at, j.id) < (").push_bind(finished_at);
                sql.push(", ").push_bind(id).push(")");
            }
            sql.push(" order by j.finished_at desc, j.id desc");
        }
    }
    if let Some(limit) = limit {
        sql.push(" limit ").push_bind(limit);
    }
    sql
}

/// Up to `limit` jobs.
pub async fn list(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    filter: &JobFilter,
    position: ListPosition,
    limit: i64,
) -> sqlx::Result<Vec<Job>> {
    let mut statement = statement(caller_id, filter, position, Some(limit));
    statement.build_query_as().fetch_all(&mut **tx).await
}

/// The ids of up to `limit` jobs.
pub async fn ids(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    filter: &JobFilter,
    position: ListPosition,
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    let mut statement = select("select j.id", caller_id, filter, position, Some(limit));
    statement.build_query_scalar().fetch_all(&mut **tx).await
}
