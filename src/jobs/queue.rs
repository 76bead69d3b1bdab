//! The position of a job in the queue.
use sqlx::PgExecutor;

use super::JobId;

/// Jobs ahead that are counted exactly; beyond that a position means "at least".
const MOST_COUNTED: i64 = 10_000;

/// The number of submissions until this job has been submitted, itself included; `None` unless it
/// is queued. Since callers take turns, at most as many jobs of each other caller count as the
/// job's own caller has ahead of it.
pub async fn position(db: impl PgExecutor<'_>, id: JobId) -> sqlx::Result<Option<i64>> {
    let position = sqlx::query_scalar!(
        r#"
        with job as (
            select id, caller_id, due_at from aftercall.jobs where id = $1 and state = 'queued'
        ), turn as (
            select count(*) + 1 as own from (
                select from aftercall.jobs j, job
                where j.caller_id = job.caller_id and j.state = 'queued'
                  and (j.due_at, j.id) < (job.due_at, job.id)
                limit $2
            ) ahead
        )
        select turn.own + coalesce((
            select sum(waiting.jobs) from aftercall.callers c
            cross join lateral (
                select count(*) as jobs from (
                    select from aftercall.jobs j
                    where j.caller_id = c.id and j.state = 'queued'
                      and j.due_at <= greatest(now(), (select due_at from job))
                    limit turn.own
                ) own
            ) waiting
            where c.id <> (select caller_id from job)
        ), 0)::int8 as "position!"
        from turn where exists (select from job)
        "#,
        id as JobId,
        MOST_COUNTED,
    )
    .fetch_optional(db)
    .await?;
    Ok(position)
}
