//! The webhook.
use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::{
    Metrics,
    book::Book,
    exemplar::{self, TracedHistogram},
};

/// The provider waits three seconds for a response.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0];
const BYTES: [f64; 9] = [
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const OUTCOMES: [&str; 10] = [
    "accepted",
    "duplicate",
    "late",
    "superseded",
    "malformed",
    "mismatch",
    "unknown_token",
    "too_large",
    "store_failed",
    "surplus",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

pub struct WebhookFamilies {
    callbacks: Family<OutcomeLabels, Counter>,
    commit: TracedHistogram,
    bytes: Histogram,
}

impl WebhookFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self {
            callbacks: Family::default(),
            commit: TracedHistogram::new(SECONDS.into_iter()),
            bytes: Histogram::new(BYTES),
        };
        for outcome in OUTCOMES {
            this.callbacks.get_or_create_owned(&OutcomeLabels { outcome });
        }
        book.add(
            "aftercall_callbacks_total",
            &["outcome"],
            "Requests on the webhook: deliveries by what they did, those that were only counted (surplus), and those \
             that were rejected (unknown_token, too_large) or are to be repeated (store_failed)",
            this.callbacks.clone(),
        );
        book.add(
            "aftercall_callback_commit_seconds",
            &[],
            "Time from the head of a delivery to its commit; the provider waits 3 seconds",
            this.commit.clone(),
        );
        book.add(
            "aftercall_callback_body_bytes",
            &[],
            "Size of the body of a stored delivery, as sent",
            this.bytes.clone(),
        );
        this
    }
}

impl Metrics {
    /// A request on the webhook had this outcome.
    pub fn callback(&self, outcome: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.webhook.callbacks.get_or_create_owned(&OutcomeLabels { outcome }).inc();
    }

    /// A delivery of this size was committed, so long after its head arrived; called in the span of its
    /// request.
    pub fn delivered(&self, took: Duration, bytes: usize) {
        let Some(inner) = &self.0 else { return };
        exemplar::observe(&inner.webhook.commit, took.as_secs_f64());
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        inner.webhook.bytes.observe(f64::from(bytes));
    }
}
