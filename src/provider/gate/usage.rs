//! How much of the rate limit is in use, for the sampled metrics.
use sqlx::PgExecutor;

use super::{Blame, STRETCH};
use crate::config::GateSettings;

/// The state of the gate, with durations instead of times.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
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

impl Usage {
    /// Estimates the time until the `position`th submission from now, as [`super::forecast`] does.
    pub fn wait_secs(&self, position: i64) -> f64 {
        let waiting = u32::try_from((position - self.remaining).max(0)).unwrap_or(u32::MAX);
        self.starts_secs + self.secs_per_call * f64::from(waiting)
    }
}

pub async fn usage(db: impl PgExecutor<'_>, settings: &GateSettings) -> sqlx::Result<Usage> {
    let row = sqlx::query!(
        r#"
        select least($1, coalesce(limit_seen, $1))::int8 as "limit!",
            calls_total - past.calls as "used!",
            coalesce(extract(epoch from blocked_until - now()), 0)::float8 as "penalty_secs!",
            coalesce(extract(epoch from greatest(blocked_until, probe_at) - now()), 0)::float8
                as "starts_secs!",
            refused_class as "refused_class: Blame",
            extract(epoch from now() - refused_since)::float8 as refused_secs
        from aftercall.provider_gate
        cross join lateral
            aftercall.calls_until(account, now() - make_interval(secs => $2)) past
        where account = 'default'
        "#,
        i32::try_from(settings.limit).unwrap_or(i32::MAX),
        settings.window.as_secs_f64() * STRETCH,
    )
    .fetch_one(db)
    .await?;
    let calls = u32::try_from(row.limit.max(1)).unwrap_or(u32::MAX);
    Ok(Usage {
        limit: row.limit,
        remaining: (row.limit - row.used).max(0),
        penalty_secs: row.penalty_secs.max(0.0),
        starts_secs: row.starts_secs.max(0.0),
        secs_per_call: settings.window.as_secs_f64() / f64::from(calls),
        refused: row.refused_class.zip(row.refused_secs),
    })
}
