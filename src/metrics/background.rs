//! What runs in the background: polls, the provider's contract, retention, and when each task last succeeded.
use std::{
    sync::atomic::AtomicU64,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use super::{Metrics, book::Book};

/// What the response to a poll can be.
const RESULTS: [&str; 8] = [
    "finished",
    "in_progress",
    "unreadable",
    "too_large",
    "unknown_job",
    "throttled",
    "rejected",
    "unreachable",
];
const DRIFT_KINDS: [&str; 5] =
    ["unknown_insight", "unknown_member", "unexpected_type", "unknown_value", "other"];

/// Something that runs again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Dispatch,
    Reconcile,
    Retention,
    Rollup,
    Sampler,
    HookTest,
    Notify,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Reconcile => "reconcile",
            Self::Retention => "retention",
            Self::Rollup => "rollup",
            Self::Sampler => "sampler",
            Self::HookTest => "hook_test",
            Self::Notify => "notify",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabels {
    table: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabels {
    task: &'static str,
}

pub struct BackgroundFamilies {
    polls: Family<ResultLabels, Counter>,
    recovered: Counter,
    drift: Family<KindLabels, Counter>,
    rows_deleted: Family<TableLabels, Counter>,
    last_success: Family<TaskLabels, Gauge<f64, AtomicU64>>,
}

impl BackgroundFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self {
            polls: Family::default(),
            recovered: Counter::default(),
            drift: Family::default(),
            rows_deleted: Family::default(),
            last_success: Family::default(),
        };
        for result in RESULTS {
            this.polls.get_or_create_owned(&ResultLabels { result });
        }
        for kind in DRIFT_KINDS {
            this.drift.get_or_create_owned(&KindLabels { kind });
        }
        book.add(
            "aftercall_reconcile_polls_total",
            &["result"],
            "Requests for the status of a job whose result is overdue, by the response",
            this.polls.clone(),
        );
        book.add(
            "aftercall_reconcile_recovered_total",
            &[],
            "Jobs that a poll completed or failed because no delivery had",
            this.recovered.clone(),
        );
        book.add(
            "aftercall_contract_drift_total",
            &["kind"],
            "Differences from the provider's known contract in deliveries and responses",
            this.drift.clone(),
        );
        book.add(
            "aftercall_retention_rows_deleted_total",
            &["table"],
            "Rows deleted because they had expired",
            this.rows_deleted.clone(),
        );
        book.add(
            "aftercall_last_success_timestamp_seconds",
            &["task"],
            "When a task of this replica last succeeded, or was started: dispatch, reconcile, retention, rollup, sampler, \
             hook_test, notify",
            this.last_success.clone(),
        );
        this
    }
}

impl Metrics {
    /// The response to a poll.
    pub fn polled(&self, result: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.background.polls.get_or_create_owned(&ResultLabels { result }).inc();
    }

    pub(super) fn recovered(&self, jobs: u64) {
        let Some(inner) = &self.0 else { return };
        inner.background.recovered.inc_by(jobs);
    }

    /// A payload differed from the contract in this way.
    pub fn drifted(&self, kind: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.background.drift.get_or_create_owned(&KindLabels { kind }).inc();
    }

    /// Retention deleted rows.
    pub fn rows_deleted(&self, table: &'static str, rows: u64) {
        let Some(inner) = &self.0 else { return };
        inner.background.rows_deleted.get_or_create_owned(&TableLabels { table }).inc_by(rows);
    }

    /// This task runs in this process from now on. Its start counts as a success, so that a task that never succeeds is
    /// noticed by the age of its last one.
    pub fn starts(&self, task: Task) {
        self.succeeded(task);
    }

    /// A round of this task succeeded, whether or not there was anything to do.
    pub fn succeeded(&self, task: Task) {
        let Some(inner) = &self.0 else { return };
        let labels = TaskLabels { task: task.name() };
        let now = since_1970(SystemTime::now());
        inner.background.last_success.get_or_create_owned(&labels).set(now);
    }
}

/// As Prometheus writes times.
pub(super) fn since_1970(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
