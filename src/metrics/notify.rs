//! Notifications to the endpoints of callers.
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use super::{Metrics, book::Book};

/// How an attempt can end.
const OUTCOMES: [&str; 13] = [
    "delivered",
    "rejected",
    "redirected",
    "slowed",
    "server_error",
    "gone",
    "refused",
    "not_resolved",
    "unreachable",
    "tls",
    "timed_out",
    "not_http",
    "unsendable",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

pub struct NotifyFamilies {
    attempts: Family<OutcomeLabels, Counter>,
}

impl NotifyFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self { attempts: Family::default() };
        for outcome in OUTCOMES {
            this.attempts.get_or_create_owned(&OutcomeLabels { outcome });
        }
        book.add(
            "aftercall_notify_attempts_total",
            &["outcome"],
            "Attempts to send a notification: delivered (2xx), rejected (other 4xx), redirected (3xx), slowed (429, 502, \
             503, 504), server_error (other 5xx), gone (410), refused (the address is not allowed), not_resolved, \
             unreachable, tls, timed_out, not_http, unsendable (the endpoint was deleted, or its secret cannot be opened)",
            this.attempts.clone(),
        );
        this
    }
}

impl Metrics {
    /// An attempt to send a notification ended like this.
    pub fn notify_attempt(&self, outcome: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.notify.attempts.get_or_create_owned(&OutcomeLabels { outcome }).inc();
    }
}
