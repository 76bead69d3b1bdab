//! The provider gate: one row in Postgres that decides for all replicas when the provider may be
//! called. Each grant of calls is a row in `provider_calls`, with the totals of all calls until then.
//!
//! RingCentral counts submissions, status polls and more in one rate group, "Heavy": by default 10
//! calls in a sliding window of 60 s, then a penalty of 60 s that restarts with every call sent
//! during it (developer guide, "Rate limits").
//!
//! Each account at the provider has a row of its own, and its own limit, penalty and refusals.
mod accounts;
mod forecast;
mod refusing;
mod usage;

use std::time::Duration;

use sqlx::{PgExecutor, PgPool, PgTransaction};

pub use self::accounts::{configure, configured, with_room};
pub use self::forecast::{Forecast, forecast};
pub use self::refusing::{Blame, GateState, Refusing, Since, refused, retry_now, state, taken};
pub use self::usage::{AccountUsage, Usage, usage};
use super::RateHeaders;
use crate::{config::GateSettings, db};

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

/// The account as [`look`] found it.
struct State {
    /// Calls in the window, and the polls among them.
    used: i64,
    polls: i64,
    limit_seen: Option<i32>,
    is_blocked: bool,
    is_refusing: bool,
    /// Whether it is too early for the next probe.
    is_probed: bool,
    /// Seconds for which rows of calls are kept.
    kept_secs: f64,
}

/// Locks the row of the gate until the transaction ends, and counts the calls of the window: by default the longest of
/// all processes.
///
/// The running totals of `provider_calls` make that one lookup by index, however many calls there are. If this waited
/// for the lock, its snapshot is older than the row: it may miss the newest calls that are older than the window, and
/// so count too many, but never too few.
async fn look(
    tx: &mut PgTransaction<'_>,
    account: &str,
    window: Option<f64>,
) -> sqlx::Result<State> {
    sqlx::query_as!(
        State,
        r#"
        select gate.calls_total - past.calls as "used!", gate.polls_total - past.polls as "polls!",
            limit_seen, coalesce(blocked_until > clock_timestamp(), false) as "is_blocked!",
            refused_since is not null as "is_refusing!",
            coalesce(probe_at > clock_timestamp(), false) as "is_probed!", kept_secs
        from aftercall.provider_gate gate
        cross join lateral aftercall.calls_until(
            gate.account, now() - make_interval(secs => coalesce($1, gate.kept_secs))) past
        where gate.account = $2
        for update of gate
        "#,
        window,
        account,
    )
    .fetch_one(&mut **tx)
    .await
}

/// Grants up to `wanted` calls and records them as made. The row stays locked until the transaction
/// ends, so replicas take turns; commit before calling the provider.
pub async fn take(
    tx: &mut PgTransaction<'_>,
    account: &str,
    settings: &GateSettings,
    purpose: Purpose,
    wanted: usize,
) -> sqlx::Result<usize> {
    let window = settings.window.as_secs_f64() * STRETCH;
    let state = look(tx, account, Some(window)).await?;
    if window > state.kept_secs {
        keep_calls(tx, account, window).await?;
    }
    if state.is_blocked {
        return Ok(0);
    }
    // Only a call can teach us a new limit, so a limit of 0 must not stop all calls for good.
    let seen = state.limit_seen.map(|seen| u32::try_from(seen).unwrap_or_default().max(1));
    let limit = seen.map_or(settings.limit, |seen| settings.limit.min(seen));
    let free = i64::from(limit) - state.used;
    let free = match purpose {
        // One is enough to see whether the provider still rejects all submissions.
        Purpose::Submission if state.is_refusing => free.min(i64::from(!state.is_probed)),
        Purpose::Submission => free,
        Purpose::Poll { share } => {
            #[expect(clippy::cast_possible_truncation, reason = "a share of a small number")]
            let budget = (f64::from(limit) * share).floor().max(1.0) as i64;
            free.min(budget - state.polls)
        }
    };
    let granted = usize::try_from(free).unwrap_or_default().min(wanted);
    if granted > 0 {
        note_calls(tx, account, purpose, i64::try_from(granted).unwrap_or(i64::MAX)).await?;
        if purpose == Purpose::Submission && state.is_refusing {
            probe_after(tx, account, settings.probe).await?;
        }
    }
    Ok(granted)
}

/// Returns calls that [`take`] granted in this transaction and that are not needed.
pub async fn give_back(
    tx: &mut PgTransaction<'_>,
    account: &str,
    purpose: Purpose,
    unused: usize,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with gate as (
            update aftercall.provider_gate set
                calls_total = calls_total - $2,
                polls_total = polls_total - case when $1 then 0 else $2 end,
                probe_at = case when $1 and refused_since is not null then clock_timestamp()
                    else probe_at end
            where account = $3
            returning account, last_call_at, calls_total, polls_total
        )
        update aftercall.provider_calls calls set
            calls_total = gate.calls_total, polls_total = gate.polls_total
        from gate where calls.account = gate.account and calls.made_at = gate.last_call_at
        "#,
        purpose == Purpose::Submission,
        i64::try_from(unused).unwrap_or(i64::MAX),
        account,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps rows of calls for this process's window, the longest so far. Until they reach back as far, all calls that were
/// ever made count, so it is granted none.
async fn keep_calls(tx: &mut PgTransaction<'_>, account: &str, window: f64) -> sqlx::Result<()> {
    sqlx::query!(
        "update aftercall.provider_gate set kept_secs = $1 where account = $2",
        window,
        account
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Records calls as made now, and deletes up to two rows that no process counts any more: more than are added.
async fn note_calls(
    tx: &mut PgTransaction<'_>,
    account: &str,
    purpose: Purpose,
    calls: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with expired as materialized (
            select old.made_at from aftercall.provider_gate gate
            cross join lateral (
                select c.made_at from aftercall.provider_calls c
                where c.account = gate.account and c.made_at >= gate.swept_to and c.made_at < (
                    select last.made_at from aftercall.provider_calls last
                    where last.account = gate.account
                        and last.made_at <= now() - make_interval(secs => gate.kept_secs)
                    order by last.made_at desc limit 1)
                order by c.made_at limit 2
            ) old
            where gate.account = $3
        ), swept as (
            delete from aftercall.provider_calls
            where account = $3 and made_at = any(array(select made_at from expired))
        ), gate as (
            update aftercall.provider_gate set
                calls_total = calls_total + $2,
                polls_total = polls_total + case when $1 then 0 else $2 end,
                last_call_at = greatest(clock_timestamp(), last_call_at + interval '1 microsecond'),
                swept_to = coalesce((select max(made_at) from expired), swept_to)
            where account = $3
            returning account, last_call_at, calls_total, polls_total
        )
        insert into aftercall.provider_calls (account, made_at, calls_total, polls_total)
        select account, last_call_at, calls_total, polls_total from gate
        "#,
        purpose == Purpose::Submission,
        calls,
        account,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets the next submission through after this time, while the provider rejects them.
async fn probe_after(
    tx: &mut PgTransaction<'_>,
    account: &str,
    probe: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update aftercall.provider_gate
         set probe_at = clock_timestamp() + make_interval(secs => $1) where account = $2",
        probe.as_secs_f64(),
        account,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Blocks all calls of all replicas with this account for `pause` from now.
pub async fn block(db: impl PgExecutor<'_>, account: &str, pause: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update aftercall.provider_gate set blocked_until =
            greatest(blocked_until, clock_timestamp() + make_interval(secs => $1))
        where account = $2
        "#,
        pause.as_secs_f64(),
        account,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Learns from the rate headers of a response: the limit, and calls in the same group that other
/// apps make (call log, recording downloads), which are recorded as if they were ours.
///
/// Most responses have nothing new, and then nothing is locked or written.
pub async fn learn(db: &PgPool, account: &str, rate: &RateHeaders) -> sqlx::Result<()> {
    let Some(limit) = rate.limit else { return Ok(()) };
    let used = rate.remaining.map_or(0, |remaining| limit.saturating_sub(remaining));
    let (limit, used) = (i32::try_from(limit).unwrap_or(i32::MAX), i64::from(used));
    let is_news = sqlx::query_scalar!(
        r#"
        select limit_seen is distinct from $1 or gate.calls_total - past.calls < $2 as "is_news!"
        from aftercall.provider_gate gate
        cross join lateral aftercall.calls_until(
            gate.account, now() - make_interval(secs => gate.kept_secs)) past
        where gate.account = $3
        "#,
        limit,
        used,
        account,
    )
    .fetch_one(db)
    .await?;
    if !is_news {
        return Ok(());
    }
    let mut tx = db::begin(db).await?;
    let others = used - look(&mut tx, account, None).await?.used;
    if others > 0 {
        note_calls(&mut tx, account, Purpose::Submission, others).await?;
    }
    sqlx::query!(
        "update aftercall.provider_gate set limit_seen = $1
         where account = $2 and limit_seen is distinct from $1",
        limit,
        account,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
