//! The jobs in progress, all callers' together, for the sampled metrics.
use sqlx::PgExecutor;

use super::State;

/// Jobs in progress by their state.
#[derive(Debug)]
pub struct Backlog(Vec<StateBacklog>);

#[derive(Debug, Clone, Copy)]
pub struct StateBacklog {
    state: State,
    pub jobs: i64,
    /// Time since the oldest was created.
    pub oldest_secs: f64,
    /// For how long the one that has waited longest has been due, for its submission, its poll or the end of its lease; 0
    /// if none is due. Queued jobs of callers that have used up a quota are not.
    pub due_secs: f64,
    /// Queued jobs of callers that have used up a quota.
    pub over_quota: i64,
    /// Time until the nearest deadline; negative once it has passed.
    pub next_deadline_secs: Option<f64>,
    due_within_hour: i64,
    unconfirmed: i64,
}

impl Backlog {
    /// The jobs in this state.
    pub fn of(&self, state: State) -> StateBacklog {
        let none = StateBacklog {
            state,
            jobs: 0,
            oldest_secs: 0.0,
            due_secs: 0.0,
            over_quota: 0,
            next_deadline_secs: None,
            due_within_hour: 0,
            unconfirmed: 0,
        };
        self.0.iter().find(|it| it.state == state).copied().unwrap_or(none)
    }

    /// Jobs whose deadline is less than an hour away.
    pub fn due_within_hour(&self) -> i64 {
        self.0.iter().map(|it| it.due_within_hour).sum()
    }

    /// Jobs whose last attempt has an unknown outcome.
    pub fn unconfirmed(&self) -> i64 {
        self.0.iter().map(|it| it.unconfirmed).sum()
    }

    pub fn next_deadline_secs(&self) -> Option<f64> {
        self.0.iter().filter_map(|it| it.next_deadline_secs).reduce(f64::min)
    }
}

/// Reads the jobs that have not ended, and no others.
pub async fn backlog(db: impl PgExecutor<'_>) -> sqlx::Result<Backlog> {
    let rows = sqlx::query_as!(
        StateBacklog,
        r#"
        select state as "state: State", count(*) as "jobs!",
            extract(epoch from greatest(now() - min(j.created_at), '0'))::float8 as "oldest_secs!",
            coalesce(extract(epoch from greatest(now() - min(due_at) filter (where not is_over_quota), '0')), 0)::float8
                as "due_secs!",
            count(*) filter (where is_over_quota) as "over_quota!",
            extract(epoch from min(deadline_at) - now())::float8 as next_deadline_secs,
            count(*) filter (where deadline_at < now() + interval '1 hour') as "due_within_hour!",
            count(*) filter (where state = 'submitting' and lease_id is null) as "unconfirmed!"
        from aftercall.jobs j
        join aftercall.caller_turns t on t.caller_id = j.caller_id
        cross join lateral (
            select j.state = 'queued' and coalesce(t.quota_left = 0, false) as is_over_quota
        ) quota
        where j.finished_at is null
        group by state
        "#,
    )
    .fetch_all(db)
    .await?;
    Ok(Backlog(rows))
}

/// Queued jobs that will be submitted after their deadline: the first submission is possible in `starts_secs`, `free` of
/// them go at once, and one more every `secs_per_call`. Callers take turns, as in [`super::claim`], and jobs beyond a
/// quota wait for its reset.
pub async fn late(
    db: impl PgExecutor<'_>,
    starts_secs: f64,
    free: i64,
    secs_per_call: f64,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        with turns as (
            select caller_id, deadline_at, due_at,
                row_number() over (partition by caller_id order by due_at, id) as nth
            from aftercall.jobs where state = 'queued'
        ), positions as (
            select j.deadline_at, row_number() over (order by j.nth > coalesce(t.quota_left, j.nth),
                    t.next_turn + (j.nth - 1)::float8 / t.weight, j.due_at) as position,
                aftercall.quota_resets_at(j.nth, t.today, t.daily_quota, t.daily_left,
                    t.monthly_quota, t.monthly_left) as resets_at
            from turns j join aftercall.caller_turns t using (caller_id)
        )
        select count(*) as "late!" from positions
        where deadline_at < greatest(resets_at, now() + make_interval(
            secs => $1::float8 + $2::float8 * greatest(0, position - $3)))
        "#,
        starts_secs,
        secs_per_call,
        free,
    )
    .fetch_one(db)
    .await
}
