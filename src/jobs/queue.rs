//! The place of a job in the queue.
use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::JobId;
use crate::callers::CallerId;

/// Jobs ahead that are counted exactly; beyond that a position means "at least".
const MOST_COUNTED: i64 = 10_000;

/// Where a queued job is, apart from what the provider gate adds.
#[derive(Debug, Clone, Copy)]
pub struct QueuePlace {
    /// The number of submissions until this job has been submitted, itself included.
    pub position: i64,
    /// When it becomes due again, if its last attempt failed.
    pub retries_at: Option<DateTime<Utc>>,
    /// When the quotas of its caller let it through, if they do not now.
    pub quota_resets_at: Option<DateTime<Utc>>,
}

/// The place of this job; `None` unless it is queued.
///
/// Callers take turns as in [`super::claim`], so of each other caller those jobs count whose start
/// tags are not higher, and no more than its quotas allow. If the job itself waits for a quota, all
/// of them do.
pub async fn place(db: impl PgExecutor<'_>, id: JobId) -> sqlx::Result<Option<QueuePlace>> {
    sqlx::query_as!(
        QueuePlace,
        r#"
        with job as (
            select j.id, j.caller_id, j.due_at, t.next_turn, t.weight, t.today, t.quota_left,
                t.daily_quota, t.daily_left, t.monthly_quota, t.monthly_left
            from aftercall.jobs j join aftercall.caller_turns t on t.caller_id = j.caller_id
            where j.id = $1 and j.state = 'queued'
        ), own as (
            select count(*) + 1 as nth from (
                select from aftercall.jobs j, job
                where j.caller_id = job.caller_id and j.state = 'queued'
                  and (j.due_at, j.id) < (job.due_at, job.id)
                limit $2
            ) ahead
        ), turn as (
            select job.*, own.nth, job.next_turn + (own.nth - 1)::float8 / job.weight as tag,
                coalesce(own.nth > job.quota_left, false) as is_over_quota
            from job, own
        )
        select turn.nth + coalesce((
            select sum(waiting.jobs) from aftercall.caller_turns t
            cross join lateral (
                select count(*) as jobs from (
                    select from aftercall.jobs j
                    where j.caller_id = t.caller_id and j.state = 'queued'
                      and j.due_at <= greatest(now(), turn.due_at)
                    limit least($2, t.quota_left, case when not turn.is_over_quota then
                        greatest(0, floor((turn.tag - t.next_turn) * t.weight) + 1)::int8 end)
                ) theirs
            ) waiting
            where t.caller_id <> turn.caller_id
        ), 0)::int8 as "position!",
            case when turn.due_at > now() then turn.due_at end as retries_at,
            aftercall.quota_resets_at(turn.nth, turn.today, turn.daily_quota, turn.daily_left,
                turn.monthly_quota, turn.monthly_left) as quota_resets_at
        from turn
        "#,
        id as JobId,
        MOST_COUNTED,
    )
    .fetch_optional(db)
    .await
}

/// The same for a job that this caller would submit now.
pub async fn place_of_next(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
) -> sqlx::Result<QueuePlace> {
    sqlx::query_as!(
        QueuePlace,
        r#"
        with own as (
            select count(*) + 1 as nth from (
                select from aftercall.jobs j
                where j.caller_id = $1 and j.state = 'queued' and j.due_at <= now()
                limit $2
            ) ahead
        ), turn as (
            select t.*, own.nth, t.next_turn + (own.nth - 1)::float8 / t.weight as tag,
                coalesce(own.nth > t.quota_left, false) as is_over_quota
            from aftercall.caller_turns t, own where t.caller_id = $1
        )
        select turn.nth + coalesce((
            select sum(waiting.jobs) from aftercall.caller_turns t
            cross join lateral (
                select count(*) as jobs from (
                    select from aftercall.jobs j
                    where j.caller_id = t.caller_id and j.state = 'queued' and j.due_at <= now()
                    limit least($2, t.quota_left, case when not turn.is_over_quota then
                        greatest(0, floor((turn.tag - t.next_turn) * t.weight) + 1)::int8 end)
                ) theirs
            ) waiting
            where t.caller_id <> turn.caller_id
        ), 0)::int8 as "position!",
            null::timestamptz as retries_at,
            aftercall.quota_resets_at(turn.nth, turn.today, turn.daily_quota, turn.daily_left,
                turn.monthly_quota, turn.monthly_left) as quota_resets_at
        from turn
        "#,
        caller_id as CallerId,
        MOST_COUNTED,
    )
    .fetch_one(db)
    .await
}

/// When a quota of a caller resets that is used up.
#[derive(Debug, Clone, Copy)]
pub struct QuotaReset {
    pub at: DateTime<Utc>,
    /// From now, rounded up.
    pub seconds: i64,
}

/// When the quotas of this caller would let a new job through, if they do not together with the jobs
/// that are queued already.
pub async fn quota_reset(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
) -> sqlx::Result<Option<QuotaReset>> {
    sqlx::query_as!(
        QuotaReset,
        r#"
        select reset.at as "at!", ceil(extract(epoch from reset.at - now()))::int8 as "seconds!"
        from aftercall.caller_turns t
        cross join lateral (
            select count(*) as jobs from (
                select from aftercall.jobs j
                where j.caller_id = t.caller_id and j.state = 'queued'
                limit least(t.quota_left, $2)
            ) queued
        ) ahead
        cross join lateral (
            select aftercall.quota_resets_at(ahead.jobs + 1, t.today, t.daily_quota, t.daily_left,
                t.monthly_quota, t.monthly_left) as at
        ) reset
        where t.caller_id = $1 and reset.at is not null
        "#,
        caller_id as CallerId,
        MOST_COUNTED,
    )
    .fetch_optional(db)
    .await
}
