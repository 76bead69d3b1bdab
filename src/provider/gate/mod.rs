//! The provider gate: one row in Postgres that decides for all replicas when the provider may be
//! called.
//!
//! RingCentral counts submissions, status polls and more in one rate group, "Heavy": by default 10
//! calls in a sliding window of 60 s, then a penalty of 60 s that restarts with every call sent
//! during it (developer guide, "Rate limits").
mod refusing;
mod usage;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgTransaction};

pub use self::refusing::{Blame, GateState, Refusing, Since, refused, retry_now, state, taken};
pub use self::usage::{Usage, usage};
use super::RateHeaders;
use crate::config::GateSettings;

/// The purpose of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    Submission,
    /// `share`: the fraction of the budget that polls may use, 1.0 when no submission waits.
    Poll {
        share: f64,
    },
}

/// Calls vary in latency, so our window is slightly wider than the provider's.
const STRETCH: f64 = 1.05;

/// Grants up to `wanted` calls and records them as made. The row stays locked until the transaction
/// ends, so replicas take turns; commit before calling the provider.
pub async fn take(
    tx: &mut PgTransaction<'_>,
    settings: &GateSettings,
    purpose: Purpose,
    wanted: usize,
) -> sqlx::Result<usize> {
    let row = sqlx::query!(
        r#"
        update aftercall.provider_gate set
            submissions = array(select made from unnest(submissions) made
                where made > clock_timestamp() - make_interval(secs => $1)),
            polls = array(select made from unnest(polls) made
                where made > clock_timestamp() - make_interval(secs => $1))
        where rate_group = 'heavy'
        returning cardinality(submissions) as "submissions!", cardinality(polls) as "polls!",
            limit_seen, coalesce(blocked_until > clock_timestamp(), false) as "blocked!",
            refused_since is not null as "refusing!",
            coalesce(probe_at > clock_timestamp(), false) as "probed!"
        "#,
        settings.window.as_secs_f64() * STRETCH,
    )
    .fetch_one(&mut **tx)
    .await?;
    if row.blocked {
        return Ok(0);
    }
    // Only a call can teach us a new limit, so a limit of 0 must not stop all calls for good.
    let seen = row.limit_seen.map(|seen| u32::try_from(seen).unwrap_or_default().max(1));
    let limit = seen.map_or(settings.limit, |seen| settings.limit.min(seen));
    let free = i64::from(limit) - i64::from(row.submissions) - i64::from(row.polls);
    let free = match purpose {
        // One is enough to see whether the provider still rejects all submissions.
        Purpose::Submission if row.refusing => free.min(i64::from(!row.probed)),
        Purpose::Submission => free,
        Purpose::Poll { share } => {
            #[expect(clippy::cast_possible_truncation, reason = "a share of a small number")]
            let budget = (f64::from(limit) * share).floor().max(1.0) as i64;
            free.min(budget - i64::from(row.polls))
        }
    };
    let granted = usize::try_from(free).unwrap_or_default().min(wanted);
    note_calls(tx, purpose, i32::try_from(granted).unwrap_or(i32::MAX), settings.probe).await?;
    Ok(granted)
}

/// Returns calls that [`take`] granted in this transaction and that are not needed.
pub async fn give_back(
    tx: &mut PgTransaction<'_>,
    purpose: Purpose,
    unused: usize,
) -> sqlx::Result<()> {
    let unused = i32::try_from(unused).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"
        update aftercall.provider_gate set
            submissions = case when $1 then trim_array(submissions, $2) else submissions end,
            polls = case when $1 then polls else trim_array(polls, $2) end,
            probe_at = case when $1 and refused_since is not null then clock_timestamp() else probe_at end
        where rate_group = 'heavy'
        "#,
        purpose == Purpose::Submission,
        unused,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// `probe`: time until the next submission while submissions are rejected.
async fn note_calls(
    tx: &mut PgTransaction<'_>,
    purpose: Purpose,
    calls: i32,
    probe: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update aftercall.provider_gate set
            submissions = case when $1 then submissions || array_fill(clock_timestamp(), array[$2::int])
                else submissions end,
            polls = case when $1 then polls else polls || array_fill(clock_timestamp(), array[$2::int]) end,
            probe_at = case when $1 and $2 > 0 and refused_since is not null
                then clock_timestamp() + make_interval(secs => $3) else probe_at end
        where rate_group = 'heavy'
        "#,
        purpose == Purpose::Submission,
        calls,
        probe.as_secs_f64(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Blocks all calls of all replicas for `pause` from now.
pub async fn block(db: impl PgExecutor<'_>, pause: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update aftercall.provider_gate set blocked_until =
            greatest(blocked_until, clock_timestamp() + make_interval(secs => $1))
        where rate_group = 'heavy'
        "#,
        pause.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Learns from the rate headers of a response: the limit, and calls in the same group that other
/// apps make (call log, recording downloads), which are recorded as if they were ours.
pub async fn learn(db: impl PgExecutor<'_>, rate: &RateHeaders) -> sqlx::Result<()> {
    let Some(limit) = rate.limit else { return Ok(()) };
    let used = rate.remaining.map_or(0, |remaining| limit.saturating_sub(remaining));
    let used = i32::try_from(used).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"
        update aftercall.provider_gate set
            limit_seen = $1,
            submissions = submissions || array_fill(clock_timestamp(),
                array[greatest(0, $2 - cardinality(submissions) - cardinality(polls))])
        where rate_group = 'heavy'
        "#,
        i32::try_from(limit).unwrap_or(i32::MAX),
        used,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Estimates when the `position`th submission from now will be sent, and until when none is.
///
/// Free calls of the window go at once, the others at the pace of the limit.
pub async fn forecast(
    db: impl PgExecutor<'_>,
    settings: &GateSettings,
    position: i64,
) -> sqlx::Result<Forecast> {
    sqlx::query_as!(
        Forecast,
        r#"
        with gate as (
            select least($1, coalesce(limit_seen, $1)) as calls,
                case when greatest(blocked_until, probe_at) > now()
                    then greatest(blocked_until, probe_at) end as blocked_until,
                refused_since is not null as is_refusing,
                (select count(*) from unnest(submissions || polls) made
                    where made > now() - make_interval(secs => $2)) as used
            from aftercall.provider_gate where rate_group = 'heavy'
        )
        select blocked_until, coalesce(blocked_until, now()) + make_interval(
            secs => $2 / greatest(calls, 1) * greatest(0, $3::int8 - greatest(0, calls - used)))
            as "at!",
            is_refusing as "is_refusing!", $3::int8 <= calls - used as "is_free!"
        from gate
        "#,
        i32::try_from(settings.limit).unwrap_or(i32::MAX),
        settings.window.as_secs_f64(),
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
