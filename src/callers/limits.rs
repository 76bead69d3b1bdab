//! Weights and quotas: how much of what the provider allows each caller gets.
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::CallerId;

pub const WEIGHTS: RangeInclusive<i64> = 1..=1000;
pub const QUOTAS: RangeInclusive<i64> = 1..=1_000_000_000;

/// A caller as listed.
#[derive(Debug)]
pub struct CallerRow {
    pub id: CallerId,
    pub name: String,
    /// Callers with due jobs are served in proportion to it.
    pub weight: i32,
    /// Submissions to the provider allowed in a day (UTC); `None`: without a limit.
    pub daily_quota: Option<i64>,
    pub daily_used: i64,
    pub daily_resets_at: DateTime<Utc>,
    /// The same for a month (UTC).
    pub monthly_quota: Option<i64>,
    pub monthly_used: i64,
    pub monthly_resets_at: DateTime<Utc>,
    /// When a job of this caller was last submitted.
    pub last_served_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// What changes; `None` stays as it is, and a quota of `Some(None)` is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LimitsChange {
    pub weight: Option<i64>,
    pub daily_quota: Option<Option<i64>>,
    pub monthly_quota: Option<Option<i64>>,
}

/// Callers by id, which is their age, starting after this one.
pub async fn all(
    db: impl PgExecutor<'_>,
    after: Option<CallerId>,
    limit: Option<i64>,
) -> sqlx::Result<Vec<CallerRow>> {
    rows(db, None, after, limit).await
}

/// Changes the limits of a caller, which hold from the next submission on; `false` if there is no
/// such caller. The values must be in their ranges.
pub async fn set_limits(
    db: impl PgExecutor<'_>,
    name: &str,
    change: &LimitsChange,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update aftercall.callers set
            weight = coalesce($2::int8, weight)::int4,
            daily_quota = case when $3 then $4 else daily_quota end,
            monthly_quota = case when $5 then $6 else monthly_quota end
        where name = $1
        "#,
        name,
        change.weight,
        change.daily_quota.is_some(),
        change.daily_quota.flatten(),
        change.monthly_quota.is_some(),
        change.monthly_quota.flatten(),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn find(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<CallerRow>> {
    Ok(rows(db, Some(name), None, Some(1)).await?.pop())
}

async fn rows(
    db: impl PgExecutor<'_>,
    name: Option<&str>,
    after: Option<CallerId>,
    limit: Option<i64>,
) -> sqlx::Result<Vec<CallerRow>> {
    sqlx::query_as!(
        CallerRow,
        r#"
        select c.id as "id: CallerId", c.name, c.weight, c.daily_quota, t.used_on_day as "daily_used!",
            (t.today + interval '1 day') at time zone 'UTC' as "daily_resets_at!",
            c.monthly_quota, t.used_in_month as "monthly_used!",
            (date_trunc('month', t.today::timestamp) + interval '1 month') at time zone 'UTC'
                as "monthly_resets_at!",
            c.last_served_at, c.created_at
        from aftercall.callers c join aftercall.caller_turns t on t.caller_id = c.id
        where ($1::text is null or c.name = $1) and ($2::uuid is null or c.id > $2)
        order by c.id limit $3
        "#,
        name,
        after as Option<CallerId>,
        limit,
    )
    .fetch_all(db)
    .await
}
