//! Jobs and the callers who submit them.
use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::{FinishedJob, Metrics, NONE, book::Book};

/// From a tenth of a second to a day.
const SECONDS: [f64; 18] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
    21600.0, 43200.0, 86400.0,
];

/// Where the time of a job went, in seconds, as `aftercall.blame` computes it: the parts add up to the total.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    pub queued: f64,
    pub submitting: f64,
    pub upstream: f64,
    pub callback_commit: f64,
    pub total: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerLabels {
    caller: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FinishedLabels {
    status: &'static str,
    error_class: &'static str,
    completed_via: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

pub struct JobFamilies {
    created: Family<CallerLabels, Counter>,
    finished: Family<FinishedLabels, Counter>,
    durations: Family<StageLabels, Histogram, fn() -> Histogram>,
    deduplicated: Family<CallerLabels, Counter>,
    idempotency: Family<OutcomeLabels, Counter>,
    rate_limited: Family<CallerLabels, Counter>,
}

impl JobFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self {
            created: Family::default(),
            finished: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            deduplicated: Family::default(),
            idempotency: Family::default(),
            rate_limited: Family::default(),
        };
        this.start_at_zero();
        book.add("aftercall_jobs_created_total", &["caller"], "Jobs created", this.created.clone());
        book.add(
            "aftercall_jobs_finished_total",
            &["status", "error_class", "completed_via"],
            "Jobs that reached a final state; a late result finishes a job once more",
            this.finished.clone(),
        );
        book.add(
            "aftercall_job_duration_seconds",
            &["stage"],
            "Where the time of a finished job went: queued, submitting, upstream (at the provider) and callback_commit \
             (from the arrival of the result to its transaction) add up to total; parse is the parsing of a delivery; notify is the time from the end of a completed job to the \
             delivery of its notification",
            this.durations.clone(),
        );
        book.add(
            "aftercall_jobs_deduplicated_total",
            &["caller"],
            "Submissions with dedupe that got an existing job of the same recording",
            this.deduplicated.clone(),
        );
        book.add(
            "aftercall_idempotency_total",
            &["outcome"],
            "Requests with an Idempotency-Key: new, replayed (the stored response), reused (rejected, as the body differs)",
            this.idempotency.clone(),
        );
        book.add(
            "aftercall_rate_limited_total",
            &["caller"],
            "API requests rejected with 429",
            this.rate_limited.clone(),
        );
        this
    }

    /// Series that exist before their first event, so that `increase()` sees it.
    fn start_at_zero(&self) {
        let finished = |status, error_class, completed_via| {
            let labels = FinishedLabels { status, error_class, completed_via };
            self.finished.get_or_create_owned(&labels);
        };
        for via in ["webhook", "poll", "replay"] {
            finished("completed", NONE, via);
        }
        for class in ["validation", "auth", "upstream", "analysis"] {
            finished("failed", class, NONE);
        }
        finished("timed_out", "timeout", NONE);
        finished("canceled", NONE, NONE);
        for stage in
            ["queued", "submitting", "upstream", "callback_commit", "total", "parse", "notify"]
        {
            self.durations.get_or_create_owned(&StageLabels { stage });
        }
        for outcome in ["new", "replayed", "reused"] {
            self.idempotency.get_or_create_owned(&OutcomeLabels { outcome });
        }
    }

    fn took(&self, stage: &'static str, secs: f64) {
        self.durations.get_or_create_owned(&StageLabels { stage }).observe(secs);
    }
}

impl Metrics {
    pub(super) fn created(&self, caller: &str) {
        let Some(inner) = &self.0 else { return };
        let labels = CallerLabels { caller: inner.callers.label(caller) };
        inner.jobs.created.get_or_create_owned(&labels).inc();
        // Their first events are then an increase.
        inner.jobs.rate_limited.get_or_create_owned(&labels);
        inner.jobs.deduplicated.get_or_create_owned(&labels);
    }

    pub(super) fn deduplicated(&self, caller: &str) {
        let Some(inner) = &self.0 else { return };
        let labels = CallerLabels { caller: inner.callers.label(caller) };
        inner.jobs.deduplicated.get_or_create_owned(&labels).inc();
    }

    pub(super) fn finished(&self, job: &FinishedJob) {
        let Some(inner) = &self.0 else { return };
        let FinishedJob { status, error_class, completed_via, spent } = *job;
        let labels = FinishedLabels { status, error_class, completed_via };
        inner.jobs.finished.get_or_create_owned(&labels).inc();
        let Some(spent) = spent else { return };
        inner.jobs.took("queued", spent.queued);
        inner.jobs.took("submitting", spent.submitting);
        inner.jobs.took("upstream", spent.upstream);
        inner.jobs.took("callback_commit", spent.callback_commit);
        inner.jobs.took("total", spent.total);
    }

    /// A delivery was parsed.
    pub fn parsed(&self, took: Duration) {
        let Some(inner) = &self.0 else { return };
        inner.jobs.took("parse", took.as_secs_f64());
    }

    /// The notification of a completed job arrived this long after its end.
    pub fn notified(&self, secs: f64) {
        let Some(inner) = &self.0 else { return };
        inner.jobs.took("notify", secs);
    }

    /// What became of a request's idempotency key: `new`, `replayed` or `reused`.
    pub fn idempotency(&self, outcome: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.jobs.idempotency.get_or_create_owned(&OutcomeLabels { outcome }).inc();
    }

    /// A request of this caller got a 429.
    pub fn rate_limited(&self, caller: &str) {
        let Some(inner) = &self.0 else { return };
        let labels = CallerLabels { caller: inner.callers.label(caller) };
        inner.jobs.rate_limited.get_or_create_owned(&labels).inc();
    }
}
