//! When a queued job will be sent.
use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::accounts::Columns;
use crate::config::AccountGate;

/// Estimates when the `position`th submission from now will be sent, and until when none is.
///
/// Free calls of the windows go at once, the others at the pace of the limits. Accounts that may not be called now do
/// not count, unless none may.
pub async fn forecast(
    db: impl PgExecutor<'_>,
    gates: &[AccountGate],
    position: i64,
) -> sqlx::Result<Forecast> {
    let Columns { accounts, limits, windows } = Columns::of(gates, 1.0);
    sqlx::query_as!(
        Forecast,
        r#"
        with account as (
            select least(a.calls, coalesce(limit_seen, a.calls)) as calls, a.window_secs,
                case when greatest(blocked_until, probe_at) > now()
                    then greatest(blocked_until, probe_at) end as blocked_until,
                refused_since is not null as is_refusing, calls_total - past.calls as used
            from unnest($1::text[], $2::int[], $3::float8[]) a (name, calls, window_secs)
            join aftercall.provider_gate gate on gate.account = a.name
            cross join lateral
                aftercall.calls_until(account, now() - make_interval(secs => a.window_secs)) past
        ), whole as (
            select min(blocked_until) as blocked_until, bool_and(is_refusing) as is_refusing,
                sum(greatest(0, calls - used))::int8 as free,
                sum(greatest(calls, 1) / window_secs) as calls_a_second
            from account
            where blocked_until is null or not exists (select from account where blocked_until is null)
        )
        select blocked_until, coalesce(blocked_until, now())
            + make_interval(secs => greatest(0, $4::int8 - free) / calls_a_second) as "at!",
            is_refusing as "is_refusing!", $4::int8 <= free as "is_free!"
        from whole
        "#,
        &accounts,
        &limits,
        &windows,
        position,
    )
    .fetch_one(db)
    .await
}

#[derive(Debug, Clone, Copy)]
pub struct Forecast {
    pub at: DateTime<Utc>,
    pub blocked_until: Option<DateTime<Utc>>,
    /// Whether the provider rejects all submissions.
    pub is_refusing: bool,
    /// Whether a call of the current window is left for it.
    pub is_free: bool,
}
