//! The state of the whole service, as the sampler of one replica found it. Every replica shows the same values.
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use super::{
    Metrics,
    book::{Book, Described, gauge, parts, sentence},
};

/// Added to the help of each sampled metric.
const NOTE: &str = "; sampled for the whole service every 15 seconds, and the same on all replicas";

const fn sampled(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described { is_sampled: true, ..gauge(name, labels, help) }
}

/// Every sampled metric.
pub const SAMPLED: [Described; 30] = [
    sampled("aftercall_jobs", &["status"], "Jobs in progress: queued, submitting, submitted"),
    sampled(
        "aftercall_oldest_unfinished_job_seconds",
        &["status"],
        "Time since the oldest job in this state was created; 0 if there is none",
    ),
    sampled(
        "aftercall_oldest_due_job_seconds",
        &[],
        "For how long the queued job that has waited longest has been due for submission; 0 if none is, and without \
         those whose caller has used up a quota",
    ),
    sampled(
        "aftercall_jobs_over_quota",
        &[],
        "Queued jobs that wait because their caller has used up a quota",
    ),
    sampled(
        "aftercall_jobs_due_within_hour",
        &[],
        "Jobs in progress whose deadline is less than an hour away",
    ),
    sampled(
        "aftercall_next_deadline_seconds",
        &[],
        "Time until the nearest deadline of a job in progress, negative once it has passed; absent without one",
    ),
    sampled(
        "aftercall_queue_eta_seconds",
        &[],
        "Time until the last queued job can be submitted at the provider's rate limit, without those that wait for a \
         quota; 0 if there is none",
    ),
    sampled(
        "aftercall_queue_late_jobs",
        &[],
        "Queued jobs that the provider's rate limit or a quota of their caller lets through only after their deadline",
    ),
    sampled(
        "aftercall_unconfirmed_attempts",
        &[],
        "Jobs of which it is unknown whether the provider accepted them",
    ),
    sampled(
        "aftercall_quarantined",
        &[],
        "Deliveries that could not be used and wait for a replay, among the newest 10,000 of their kind",
    ),
    sampled(
        "aftercall_quarantine_oldest_seconds",
        &[],
        "Time since the oldest delivery in quarantine arrived; 0 if there is none",
    ),
    sampled(
        "aftercall_last_webhook_timestamp_seconds",
        &[],
        "When the webhook last received a delivery; 0 if it never did",
    ),
    sampled(
        "aftercall_public_hook_up",
        &[],
        "Whether the last self-test passed that posts to the webhook's public URL; absent before the first",
    ),
    sampled(
        "aftercall_public_hook_seconds",
        &[],
        "Time that the last self-test of the webhook's public URL took",
    ),
    sampled(
        "aftercall_upstream_rate_limit",
        &["account", "group"],
        "Calls to the provider that its rate limit allows in a window",
    ),
    sampled(
        "aftercall_upstream_rate_remaining",
        &["account", "group"],
        "Calls to the provider that are left in the current window",
    ),
    sampled(
        "aftercall_upstream_penalty_seconds",
        &["account"],
        "Time until the provider may be called again after a 429; 0 without a penalty",
    ),
    sampled(
        "aftercall_upstream_refused_seconds",
        &["account", "class"],
        "For how long the provider has rejected every submission, because of our credentials (auth) or the address \
         (upstream); 0 while it does not",
    ),
    sampled(
        "aftercall_contract_drift_newest_timestamp_seconds",
        &[],
        "When the newest difference from the provider's contract was first seen; 0 if there is none",
    ),
    sampled("aftercall_notify_backlog", &[], "Notifications that are to be sent, up to 100,000"),
    sampled(
        "aftercall_notify_oldest_due_seconds",
        &[],
        "For how long the notification that has waited longest has been due; 0 if none is. Endpoints \
         that failed last, or that a request is in progress to, do not count",
    ),
    sampled(
        "aftercall_notify_stopped_endpoints",
        &[],
        "Endpoints that paused themselves because they kept failing, or were disabled by a 410",
    ),
    sampled(
        "aftercall_db_server_connections",
        &[],
        "Sessions on the database server, of all its databases",
    ),
    sampled(
        "aftercall_db_server_connections_max",
        &[],
        "Maximum number of sessions on the database server",
    ),
    sampled(
        "aftercall_db_oldest_transaction_seconds",
        &[],
        "Age of the oldest transaction in the database, of those that Aftercall's role may see",
    ),
    sampled("aftercall_db_bytes", &[], "Size of the database"),
    sampled("aftercall_table_bytes", &["table"], "Size of a table with its indexes and partitions"),
    sampled(
        "aftercall_partition_days_ahead",
        &["table"],
        "Days until the last partition of a table ends",
    ),
    sampled(
        "aftercall_retention_overdue_seconds",
        &["kind"],
        "For how long the oldest row that should be gone has been due; 0 if there is none",
    ),
    sampled("aftercall_samples_timestamp_seconds", &[], "When the sampled values were taken"),
];

/// A value with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledValue {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

/// The values of the latest sample.
#[derive(Debug, Clone, Default)]
pub struct Sampled(Arc<Mutex<Arc<Vec<SampledValue>>>>);

impl Sampled {
    pub fn new(book: &mut Book) -> Self {
        let this = Self::default();
        book.collect(SAMPLED.to_vec(), this.clone());
        this
    }
}

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for described in SAMPLED {
            let (base, unit) = parts(described.name);
            let help = sentence(&format!("{}{NOTE}", described.help));
            let mut metric =
                encoder.encode_descriptor(base, &help, unit.as_ref(), MetricType::Gauge)?;
            for sample in values.iter().filter(|sample| sample.name == described.name) {
                if sample.labels.is_empty() {
                    metric.encode_gauge(&sample.value)?;
                } else {
                    metric.encode_family(&sample.labels)?.encode_gauge(&sample.value)?;
                }
            }
        }
        Ok(())
    }
}

impl Metrics {
    /// Shows these values from now on.
    pub fn sampled(&self, values: Vec<SampledValue>) {
        let Some(inner) = &self.0 else { return };
        *inner.sampled.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(values);
    }
}
