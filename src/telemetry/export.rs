//! What leaves the process in a span, and what happens when it cannot be sent.
use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::{Value, trace::SpanKind};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use tracing::Metadata;

use super::traces::EndedSpan;

const OURS: &str = env!("CARGO_PKG_NAME");

/// The spans that are exported, by the names that the code gives them.
const SPANS: [(&str, SpanKind); 7] = [
    ("request", SpanKind::Server),
    ("submit", SpanKind::Consumer),
    ("call", SpanKind::Client),
    ("poll", SpanKind::Internal),
    ("ingest", SpanKind::Internal),
    ("commit", SpanKind::Internal),
    ("notify", SpanKind::Client),
];

/// The fields of the log that are exported, and their names in OpenTelemetry's conventions. All others are dropped, so that
/// a field that is added for the log does not leave the process unnoticed. Tags, which are no fields, are exported only.
const ATTRIBUTES: [(&str, &str); 7] = [
    ("method", METHOD),
    ("route", ROUTE),
    ("listener", "aftercall.listener"),
    ("caller", "aftercall.caller"),
    ("job_id", "aftercall.job.id"),
    ("attempt", "aftercall.attempt"),
    ("outcome", OUTCOME),
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

pub fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && metadata.target().starts_with(OURS)
        && SPANS.iter().any(|(name, _)| *name == metadata.name())
}

pub fn kind(span: &str) -> SpanKind {
    let found = SPANS.iter().find(|(name, _)| *name == span);
    found.map_or(SpanKind::Internal, |(_, kind)| kind.clone())
}

/// The name of the exported span: for a request or a call, what it is about.
pub fn shown(span: &EndedSpan) -> Cow<'static, str> {
    let text = |key: &str| {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.as_str())
    };
    let name = match kind(span.name) {
        SpanKind::Server => text(METHOD).zip(text(ROUTE)).map(|(one, two)| format!("{one} {two}")),
        SpanKind::Client => text(OPERATION).map(|operation| format!("provider {operation}")),
        _ => None,
    };
    name.map_or(Cow::Borrowed(span.name), Cow::Owned)
}

/// As in OpenTelemetry's conventions for HTTP: a 4xx is an error of the client's span, not of the server's.
pub fn has_failed(span: &EndedSpan) -> bool {
    let least = if kind(span.name) == SpanKind::Client { 400 } else { 500 };
    span.attributes.iter().any(|attribute| match (attribute.key.as_str(), &attribute.value) {
        (STATUS, Value::I64(status)) => *status >= least,
        (ERROR, _) => true,
        _ => false,
    })
}

/// The public name of a field that is exported.
pub fn attribute(field: &str) -> Option<&'static str> {
    ATTRIBUTES.iter().find(|(known, _)| *known == field).map(|(_, name)| *name)
}

/// An exporter that logs its failures.
#[derive(Debug)]
pub struct LoggedExporter<E> {
    inner: E,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    /// Spans lost since the last line.
    spans: usize,
    told: Option<Instant>,
}

impl<E> LoggedExporter<E> {
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

impl<E: SpanExporter> SpanExporter for LoggedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.inner.export(batch).await;
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
