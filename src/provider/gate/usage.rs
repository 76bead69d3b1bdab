//! How much of the rate limits is in use, for the sampled metrics.
use sqlx::PgExecutor;

use super::{Blame, STRETCH, accounts::Columns};
use crate::config::AccountGate;

/// The state of an account's gate, with durations instead of times.
#[derive(Debug, Clone)]
pub struct AccountUsage {
    pub account: String,
    /// Calls per window.
    pub limit: i64,
    /// Calls left in the current window.
    pub remaining: i64,
    /// Time until calls are possible again; 0 when they are.
    pub penalty_secs: f64,
    /// The same for submissions, which also wait while the provider rejects all of them.
    pub starts_secs: f64,
    pub secs_per_call: f64,
    /// For how long the provider has rejected every submission, and why.
    pub refused: Option<(Blame, f64)>,
}

/// The state of all gates together.
#[derive(Debug, Clone)]
pub struct Usage {
    pub accounts: Vec<AccountUsage>,
    /// Calls left for submissions in the current windows.
    pub remaining: i64,
    /// Time until submissions are possible with any account.
    pub starts_secs: f64,
    pub secs_per_call: f64,
}

impl Usage {
    /// Accounts that may not be called now count only while none may.
    fn of(accounts: Vec<AccountUsage>) -> Self {
        let starts_secs =
            accounts.iter().map(|it| it.starts_secs).min_by(f64::total_cmp).unwrap_or_default();
        let open: Vec<_> =
            accounts.iter().filter(|it| starts_secs > 0.0 || it.starts_secs <= 0.0).collect();
        let calls_a_second: f64 = open.iter().map(|it| 1.0 / it.secs_per_call).sum();
        let remaining = open.iter().map(|it| it.remaining).sum();
        Self { remaining, starts_secs, secs_per_call: 1.0 / calls_a_second, accounts }
    }

    /// Estimates the time until the `position`th submission from now, as [`super::forecast`] does.
    pub fn wait_secs(&self, position: i64) -> f64 {
        let waiting = u32::try_from((position - self.remaining).max(0)).unwrap_or(u32::MAX);
        self.starts_secs + self.secs_per_call * f64::from(waiting)
    }
}

pub async fn usage(db: impl PgExecutor<'_>, gates: &[AccountGate]) -> sqlx::Result<Usage> {
    let Columns { accounts, limits, windows } = Columns::of(gates, STRETCH);
    let rows = sqlx::query!(
        r#"
        select account, least(a.calls, coalesce(limit_seen, a.calls))::int8 as "limit!",
            calls_total - past.calls as "used!", a.secs as "window_secs!",
            coalesce(extract(epoch from blocked_until - now()), 0)::float8 as "penalty_secs!",
            coalesce(extract(epoch from greatest(blocked_until, probe_at) - now()), 0)::float8
                as "starts_secs!",
            refused_class as "refused_class: Blame",
            extract(epoch from now() - refused_since)::float8 as refused_secs
        from unnest($1::text[], $2::int[], $3::float8[]) a (name, calls, secs)
        join aftercall.provider_gate gate on gate.account = a.name
        cross join lateral aftercall.calls_until(account, now() - make_interval(secs => a.secs)) past
        "#,
        &accounts,
        &limits,
        &windows,
    )
    .fetch_all(db)
    .await?;
    let accounts = rows.into_iter().map(|row| {
        let calls = u32::try_from(row.limit.max(1)).unwrap_or(u32::MAX);
        AccountUsage {
            account: row.account,
            limit: row.limit,
            remaining: (row.limit - row.used).max(0),
            penalty_secs: row.penalty_secs.max(0.0),
            starts_secs: row.starts_secs.max(0.0),
            secs_per_call: row.window_secs / STRETCH / f64::from(calls),
            refused: row.refused_class.zip(row.refused_secs),
        }
    });
    Ok(Usage::of(accounts.collect()))
}
