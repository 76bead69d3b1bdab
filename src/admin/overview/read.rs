//! The overview from the sample, whose values are named like the metrics.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{
    Database, Deadlines, InState, Jobs, LastDay, Notifications, Overdue, Overview, Provider, Queue,
    Retention, SelfTest, TableSize, Webhook, problems,
};
use crate::{
    config::AccountGate,
    public_hook::{self, LastTest},
    reporting::{self, Ended},
    samples::{self, Samples, Values},
};

/// Tables shown.
const MOST_TABLES: usize = 10;

/// The state of the service, sampled now unless that was done within the last 15 seconds.
pub async fn read(db: &PgPool, gates: &[AccountGate]) -> sqlx::Result<Overview> {
    // A database that rejects writes keeps its last sample, which is still worth showing.
    let taken = samples::take(db, gates).await;
    let mut sample = samples::latest(db).await?;
    if sample.is_none() {
        taken?;
        sample = samples::latest(db).await?;
    }
    let sample = sample.ok_or(sqlx::Error::RowNotFound)?;
    let ended = reporting::ended(db).await?;
    let mut overview = of_sample(&sample, ended, public_hook::last(db).await?);
    overview.problems = problems::of(&overview);
    Ok(overview)
}

fn of_sample(sample: &Samples, ended: Ended, self_test: Option<LastTest>) -> Overview {
    let values = &sample.values;
    let of = |name: &str| values.get(name, &[]).unwrap_or_default();
    let in_state = |state: &str| InState {
        count: whole(values.get("aftercall_jobs", &[("status", state)])),
        oldest_seconds: values
            .get("aftercall_oldest_unfinished_job_seconds", &[("status", state)])
            .unwrap_or_default(),
    };
    let count = |name: &str| whole(values.get(name, &[]));
    let refused = |class| {
        let of_class =
            |labels: &BTreeMap<String, String>| labels.get("class").is_some_and(|it| it == class);
        least(values, "aftercall_upstream_refused_seconds", of_class)
    };
    let calls = |name: &str| whole(Some(values.of(name).iter().map(|sample| sample.value).sum()));
    Overview {
        sampled_at: sample.taken_at,
        problems: Vec::new(),
        jobs: Jobs {
            queued: in_state("queued"),
            submitting: in_state("submitting"),
            submitted: in_state("submitted"),
            unconfirmed_attempts: count("aftercall_unconfirmed_attempts"),
        },
        last_day: LastDay {
            completed: ended.good.unsigned_abs(),
            failed: ended.bad.unsigned_abs(),
        },
        deadlines: Deadlines {
            next_seconds: values.get("aftercall_next_deadline_seconds", &[]),
            due_within_hour: count("aftercall_jobs_due_within_hour"),
            late_jobs: count("aftercall_queue_late_jobs"),
        },
        queue: Queue {
            oldest_due_seconds: of("aftercall_oldest_due_job_seconds"),
            eta_seconds: of("aftercall_queue_eta_seconds"),
        },
        provider: Provider {
            rate_limit: calls("aftercall_upstream_rate_limit"),
            rate_remaining: calls("aftercall_upstream_rate_remaining"),
            penalty_seconds: least(values, "aftercall_upstream_penalty_seconds", |_| true),
            refused_auth_seconds: refused("auth"),
            refused_upstream_seconds: refused("upstream"),
            newest_drift_at: time(of("aftercall_contract_drift_newest_timestamp_seconds")),
        },
        webhook: webhook(values, self_test),
        notifications: Notifications {
            backlog: count("aftercall_notify_backlog"),
            oldest_due_seconds: of("aftercall_notify_oldest_due_seconds"),
            stopped_endpoints: count("aftercall_notify_stopped_endpoints"),
        },
        database: database(values),
        retention: Retention {
            overdue: labeled(values, "aftercall_retention_overdue_seconds", "kind")
                .map(|(kind, seconds)| Overdue { kind, seconds })
                .collect(),
        },
    }
}

fn webhook(values: &Values, self_test: Option<LastTest>) -> Webhook {
    let of = |name: &str| values.get(name, &[]).unwrap_or_default();
    Webhook {
        last_delivery_at: time(of("aftercall_last_webhook_timestamp_seconds")),
        quarantined: whole(values.get("aftercall_quarantined", &[])),
        quarantine_oldest_seconds: of("aftercall_quarantine_oldest_seconds"),
        self_test: self_test.map(|test| SelfTest {
            tested_at: test.tested_at,
            is_up: test.is_up,
            seconds: test.seconds,
            fault: test.fault,
        }),
    }
}

fn database(values: &Values) -> Database {
    let count = |name: &str| whole(values.get(name, &[]));
    let mut tables: Vec<_> = labeled(values, "aftercall_table_bytes", "table")
        .map(|(table, bytes)| TableSize { table, bytes: whole(Some(bytes)) })
        .collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    tables.truncate(MOST_TABLES);
    Database {
        connections: count("aftercall_db_server_connections"),
        connections_max: count("aftercall_db_server_connections_max"),
        oldest_transaction_seconds: values
            .get("aftercall_db_oldest_transaction_seconds", &[])
            .unwrap_or_default(),
        bytes: count("aftercall_db_bytes"),
        tables,
        partition_days_ahead: labeled(values, "aftercall_partition_days_ahead", "table")
            .map(|(_, days)| days)
            .min_by(f64::total_cmp),
    }
}

/// The value for the account that is best off: others do not stop the jobs.
fn least(values: &Values, name: &str, is_meant: impl Fn(&BTreeMap<String, String>) -> bool) -> f64 {
    let samples = values.of(name).iter().filter(|sample| is_meant(&sample.labels));
    samples.map(|sample| sample.value).min_by(f64::total_cmp).unwrap_or_default()
}

/// The values of a metric by their only label.
fn labeled<'a>(
    values: &'a Values,
    name: &str,
    label: &'a str,
) -> impl Iterator<Item = (String, f64)> + 'a {
    let samples = values.of(name).iter();
    samples.filter_map(move |sample| Some((sample.labels.get(label)?.clone(), sample.value)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts, which metrics keep as floats"
)]
fn whole(value: Option<f64>) -> u64 {
    value.unwrap_or_default().round() as u64
}

/// `None` for 0, which stands for never.
#[expect(clippy::cast_possible_truncation, reason = "microseconds since 1970 fit for ever")]
fn time(seconds: f64) -> Option<DateTime<Utc>> {
    if seconds <= 0.0 {
        return None;
    }
    DateTime::from_timestamp_micros((seconds * 1e6) as i64)
}
