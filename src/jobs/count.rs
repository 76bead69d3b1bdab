//! How many of a caller's jobs are in each state.
use sqlx::{PgTransaction, Postgres, QueryBuilder};

use super::{JobFilter, JobId, State};
use crate::callers::CallerId;

/// Jobs that are counted at most, of those that are completed and of all others.
pub const MOST_COUNTED: i64 = 10_000;

/// The states that occur.
#[derive(Debug)]
pub struct StateCounts {
    pub by_state: Vec<(State, i64)>,
    /// Otherwise there may be more jobs than were counted.
    pub is_complete: bool,
}

/// Counts the newest jobs that match. Completed ones apart from all others: there are many of them, and the others are
/// found by an index of their own.
pub async fn count_by_state(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    filter: &JobFilter,
) -> sqlx::Result<StateCounts> {
    let mut statement = counting(caller_id, filter, MOST_COUNTED);
    let rows: Vec<(State, i64)> = statement.build_query_as().fetch_all(&mut **tx).await?;
    let counted = |is_completed: bool| -> i64 {
        let of_kind = rows.iter().filter(|(state, _)| (*state == State::Completed) == is_completed);
        of_kind.map(|(_, count)| count).sum()
    };
    let is_complete = counted(true) < MOST_COUNTED && counted(false) < MOST_COUNTED;
    Ok(StateCounts { by_state: rows, is_complete })
}

/// The statement of [`count_by_state`].
pub fn counting(caller_id: CallerId, filter: &JobFilter, most: i64) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new("select state, count(*) from (");
    for (n, kind) in
        [" and (j.state <> 'completed') is true", " and j.state = 'completed'"].iter().enumerate()
    {
        sql.push(if n == 0 { "(" } else { " union all (" });
        sql.push("select j.state");
        filter.push(&mut sql, caller_id);
        sql.push(kind).push(" order by j.id desc limit ").push_bind(most).push(")");
    }
    sql.push(") newest group by state");
    sql
}

/// How many jobs match that are newer than `after`, up to [`MOST_COUNTED`].
pub async fn count_after(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    filter: &JobFilter,
    after: Option<JobId>,
) -> sqlx::Result<i64> {
    let mut sql = QueryBuilder::new("select count(*) from (select");
    filter.push(&mut sql, caller_id);
    if let Some(id) = after {
        filter.push_id(&mut sql, ">", id);
    }
    sql.push(" limit ").push_bind(MOST_COUNTED).push(") matching");
    sql.build_query_scalar().fetch_one(&mut **tx).await
}
