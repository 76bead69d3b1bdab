//! What is sampled: the names and labels of docs/metrics.md, and the functions of the tables that know the values.
use chrono::{DateTime, Utc};
use sqlx::PgTransaction;

use super::{Samples, Values, database};
use crate::{
    config::AccountGate,
    deliveries, drift,
    jobs::{self, State},
    notifications,
    provider::gate::{self, Blame},
    public_hook,
};

const LAST_WEBHOOK: &str = "aftercall_last_webhook_timestamp_seconds";
/// The provider's rate group of everything that is called.
const GROUP: &str = "heavy";

/// `previous`: what was sampled last, for values that are carried forward.
pub async fn gather(
    tx: &mut PgTransaction<'_>,
    gates: &[AccountGate],
    previous: &Samples,
) -> sqlx::Result<Values> {
    let mut values = Values::default();
    jobs_and_gates(tx, gates, &mut values).await?;
    set_aside(tx, previous, &mut values).await?;
    outbox(tx, &mut values).await?;
    database::gather(tx, &mut values).await?;
    Ok(values)
}

async fn jobs_and_gates(
    tx: &mut PgTransaction<'_>,
    gates: &[AccountGate],
    values: &mut Values,
) -> sqlx::Result<()> {
    let backlog = jobs::backlog(&mut **tx).await?;
    for state in [State::Queued, State::Submitting, State::Submitted] {
        let of_state = backlog.of(state);
        let labels = [("status", state.name())];
        values.add("aftercall_jobs", &labels, float(of_state.jobs));
        values.add("aftercall_oldest_unfinished_job_seconds", &labels, of_state.oldest_secs);
    }
    values.add("aftercall_unconfirmed_attempts", &[], float(backlog.unconfirmed()));
    values.add("aftercall_jobs_due_within_hour", &[], float(backlog.due_within_hour()));
    if let Some(secs) = backlog.next_deadline_secs() {
        values.add("aftercall_next_deadline_seconds", &[], secs);
    }

    let usage = gate::usage(&mut **tx, gates).await?;
    let queued = backlog.of(State::Queued);
    values.add("aftercall_oldest_due_job_seconds", &[], queued.due_secs);
    values.add("aftercall_jobs_over_quota", &[], float(queued.over_quota));
    let moving = queued.jobs - queued.over_quota;
    let eta = if moving == 0 { 0.0 } else { usage.wait_secs(moving) };
    values.add("aftercall_queue_eta_seconds", &[], eta);
    // A quota may hold a job back for a month.
    let may_be_late =
        queued.next_deadline_secs.is_some_and(|deadline| deadline < eta) || queued.over_quota > 0;
    let late = if may_be_late {
        jobs::late(&mut **tx, usage.starts_secs, usage.remaining, usage.secs_per_call).await?
    } else {
        0
    };
    values.add("aftercall_queue_late_jobs", &[], float(late));

    for usage in &usage.accounts {
        let account = ("account", &*usage.account);
        let group = [account, ("group", GROUP)];
        values.add("aftercall_upstream_rate_limit", &group, float(usage.limit));
        values.add("aftercall_upstream_rate_remaining", &group, float(usage.remaining));
        values.add("aftercall_upstream_penalty_seconds", &[account], usage.penalty_secs);
        for (class, blame) in [("auth", Blame::Credentials), ("upstream", Blame::Address)] {
            let secs = usage.refused.filter(|(of, _)| *of == blame).map_or(0.0, |(_, secs)| secs);
            values.add("aftercall_upstream_refused_seconds", &[account, ("class", class)], secs);
        }
    }
    Ok(())
}

async fn set_aside(
    tx: &mut PgTransaction<'_>,
    previous: &Samples,
    values: &mut Values,
) -> sqlx::Result<()> {
    let quarantine = deliveries::quarantine(&mut **tx).await?;
    values.add("aftercall_quarantined", &[], float(quarantine.deliveries));
    values.add("aftercall_quarantine_oldest_seconds", &[], quarantine.oldest_secs);
    let since = deliveries::last_webhook_since(&mut **tx, previous.taken_at).await?;
    let last =
        since.map(timestamp).or_else(|| previous.values.get(LAST_WEBHOOK, &[])).unwrap_or_default();
    values.add(LAST_WEBHOOK, &[], last);
    if let Some(test) = public_hook::last(&mut **tx).await? {
        values.add("aftercall_public_hook_up", &[], float(i64::from(test.is_up)));
        values.add("aftercall_public_hook_seconds", &[], test.seconds);
    }
    let newest = drift::newest(&mut **tx).await?.map_or(0.0, timestamp);
    values.add("aftercall_contract_drift_newest_timestamp_seconds", &[], newest);
    Ok(())
}

async fn outbox(tx: &mut PgTransaction<'_>, values: &mut Values) -> sqlx::Result<()> {
    let backlog = notifications::backlog(&mut **tx).await?;
    values.add("aftercall_notify_backlog", &[], float(backlog.messages));
    values.add("aftercall_notify_oldest_due_seconds", &[], backlog.oldest_due_secs);
    values.add("aftercall_notify_stopped_endpoints", &[], float(backlog.stopped_endpoints));
    Ok(())
}

/// Seconds since 1970.
pub fn timestamp(at: DateTime<Utc>) -> f64 {
    float(at.timestamp_micros()) / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats; counts stay far below 2^53")]
pub(super) fn float(count: i64) -> f64 {
    count as f64
}
