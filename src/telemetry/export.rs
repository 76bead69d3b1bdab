//! What leaves the process in a span, and what happens when it cannot be sent.
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::{
    KeyValue, Value,
    trace::{SpanKind, Status},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanEvents, SpanExporter},
};

/// The spans that are exported, by the names that the code gives them.
pub const SPANS: [(&str, SpanKind); 6] = [
    ("request", SpanKind::Server),
    ("submit", SpanKind::Consumer),
    ("call", SpanKind::Client),
    ("poll", SpanKind::Internal),
    ("ingest", SpanKind::Internal),
    ("commit", SpanKind::Internal),
];

/// The attributes that are exported: the field of the log, and its name in OpenTelemetry's conventions. Everything else
/// is dropped, so that a field that is added for the log does not leave the process unnoticed.
const ATTRIBUTES: [(&str, &str); 16] = [
    ("method", METHOD),
    ("route", ROUTE),
    ("listener", "aftercall.listener"),
    ("caller", "aftercall.caller"),
    ("job_id", "aftercall.job.id"),
    ("attempt", "aftercall.attempt"),
    ("outcome", OUTCOME),
    (METHOD, METHOD),
    (STATUS, STATUS),
    (SERVER, SERVER),
    (ERROR, ERROR),
    (OPERATION, OPERATION),
    (RESENT, RESENT),
    (OUTCOME, OUTCOME),
    (RETRY_REASON, RETRY_REASON),
    (DELIVERIES, DELIVERIES),
];
const ROUTE: &str = "http.route";
pub const METHOD: &str = "http.request.method";
pub const STATUS: &str = "http.response.status_code";
pub const SERVER: &str = "server.address";
/// Why there was no response, or what kind of error it was.
pub const ERROR: &str = "error.type";
/// How often the request was sent before.
pub const RESENT: &str = "http.request.resend_count";
/// The provider's operation: `token`, `submit` or `status`.
pub const OPERATION: &str = "aftercall.operation";
pub const OUTCOME: &str = "aftercall.outcome";
pub const RETRY_REASON: &str = "aftercall.retry_reason";
pub const DELIVERIES: &str = "aftercall.deliveries";

/// Shortest time between two log lines about failed exports.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// Reduces spans to what may leave the process, on the export thread rather than where they end, and logs failures.
#[derive(Debug)]
pub struct Discreet<E> {
    inner: E,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    /// Spans lost since the last line.
    spans: usize,
    told: Option<Instant>,
}

impl<E> Discreet<E> {
    pub fn new(inner: E) -> Self {
        Self { inner, failures: Mutex::default() }
    }

    fn failed(&self, spans: usize, error: &(dyn std::error::Error + 'static)) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.spans += spans;
        if failures.told.is_some_and(|told| told.elapsed() < COMPLAIN_EVERY) {
            return;
        }
        // The SDK's errors name neither the endpoint nor its headers.
        tracing::warn!(error, spans = failures.spans, "cannot export spans; they are lost");
        *failures = Failures { spans: 0, told: Some(Instant::now()) };
    }
}

impl<E: SpanExporter> SpanExporter for Discreet<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.inner.export(batch.into_iter().map(discreet).collect()).await;
        if let Err(error) = &exported {
            self.failed(spans, error);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// The span with its public name, kind, status and attributes only. Its events are log lines, which have its trace id.
fn discreet(mut span: SpanData) -> SpanData {
    span.attributes = span.attributes.into_iter().filter_map(allowed).collect();
    span.events = SpanEvents::default();
    for link in &mut span.links.links {
        link.attributes.clear();
    }
    let kind = SPANS.iter().find(|(name, _)| *name == span.name).map(|(_, kind)| kind.clone());
    span.span_kind = kind.unwrap_or(SpanKind::Internal);
    let text = |key: &str| {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.as_str())
    };
    let name = match span.span_kind {
        SpanKind::Server => text(METHOD).zip(text(ROUTE)).map(|(one, two)| format!("{one} {two}")),
        SpanKind::Client => text(OPERATION).map(|operation| format!("provider {operation}")),
        _ => None,
    };
    span.status = if has_failed(&span) { Status::error("") } else { Status::Unset };
    if let Some(name) = name {
        span.name = name.into();
    }
    span
}

fn allowed(attribute: KeyValue) -> Option<KeyValue> {
    let (_, name) = ATTRIBUTES.iter().find(|(field, _)| *field == attribute.key.as_str())?;
    Some(KeyValue::new(*name, attribute.value))
}

/// As in OpenTelemetry's conventions for HTTP: a 4xx is an error of the client's span, not of the server's.
fn has_failed(span: &SpanData) -> bool {
    let least = if span.span_kind == SpanKind::Client { 400 } else { 500 };
    span.attributes.iter().any(|attribute| match (attribute.key.as_str(), &attribute.value) {
        (STATUS, Value::I64(status)) => *status >= least,
        (ERROR, _) => true,
        _ => false,
    })
}
