//! A receiver of traces: OTLP over HTTP, decoded with the official protobufs.
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1,
};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};

use super::eventually;

/// What the receiver does with an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behavior {
    Takes,
    /// Responds with 503.
    Refuses,
    /// Never responds.
    Hangs,
}

#[derive(Debug)]
pub struct Collector {
    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub endpoint: String,
    received: Arc<Received>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Received {
    behavior: Behavior,
    exports: Mutex<Vec<(HeaderMap, Bytes)>>,
}

/// A span as it was received.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty for the first span of a trace.
    pub parent: String,
    pub name: String,
    pub kind: v1::span::SpanKind,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
    pub attributes: BTreeMap<String, String>,
    /// Traces and spans.
    pub links: Vec<(String, String)>,
    pub events: usize,
    pub has_failed: bool,
    /// Attributes of the process.
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    pub async fn start() -> Self {
        Self::that(Behavior::Takes).await
    }

    pub async fn that(behavior: Behavior) -> Self {
        let received = Arc::new(Received { behavior, exports: Mutex::default() });
        let router = Router::new().route("/v1/traces", post(receive)).with_state(received.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, received, serving }
    }

    /// Exports so far, with their headers.
    pub fn exports(&self) -> Vec<(HeaderMap, Bytes)> {
        self.received.exports.lock().unwrap().clone()
    }

    pub fn spans(&self) -> Vec<Span> {
        let exports = self.exports().into_iter();
        let decoded = exports.map(|(_, body)| ExportTraceServiceRequest::decode(body).unwrap());
        let of_processes = decoded.flat_map(|request| request.resource_spans);
        let spans = of_processes.flat_map(|of_process| {
            let resource = attributes(of_process.resource.unwrap_or_default().attributes);
            let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.map(move |span| Span::new(span, resource.clone()))
        });
        spans.collect()
    }

    /// The first span with this name that `is_it`, once there is one.
    pub async fn span(&self, name: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        eventually(name, async || {
            self.spans().into_iter().find(|span| span.name == name && is_it(span))
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(
    State(received): State<Arc<Received>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    received.exports.lock().unwrap().push((headers, body));
    match received.behavior {
        Behavior::Takes => {
            let kind = [(header::CONTENT_TYPE, "application/x-protobuf")];
            (kind, ExportTraceServiceResponse::default().encode_to_vec()).into_response()
        }
        Behavior::Refuses => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Behavior::Hangs => std::future::pending().await,
    }
}

impl Span {
    fn new(span: v1::Span, resource: BTreeMap<String, String>) -> Self {
        Self {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            kind: span.kind(),
            name: span.name,
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            attributes: attributes(span.attributes),
            links: span.links.iter().map(|it| (hex(&it.trace_id), hex(&it.span_id))).collect(),
            events: span.events.len(),
            has_failed: span.status.is_some_and(|it| it.code() == v1::status::StatusCode::Error),
            resource,
        }
    }

    /// The attribute, or an empty text.
    pub fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn attributes(given: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    given.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

/// The spans as a tree: when each began after the first one, how long it took, and its attributes.
pub fn tree(spans: &[Span]) -> String {
    let is_first = |span: &&Span| !spans.iter().any(|other| other.id == span.parent);
    let zero = spans.iter().map(|span| span.start).min().unwrap_or_default();
    let mut text = String::new();
    for first in sorted(spans.iter().filter(is_first)) {
        branch(spans, first, zero, 0, &mut text);
    }
    text
}

fn branch(spans: &[Span], span: &Span, zero: u64, depth: usize, text: &mut String) {
    let after = Duration::from_nanos(span.start - zero).as_secs_f64() * 1e3;
    let took = Duration::from_nanos(span.end - span.start).as_secs_f64() * 1e3;
    let name = format!("{:indent$}{}", "", span.name, indent = depth * 2);
    let told: Vec<_> =
        span.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    writeln!(text, "{name:<38} +{after:>9.1} ms {took:>9.1} ms  {}", told.join(" ")).unwrap();
    for child in sorted(spans.iter().filter(|other| other.parent == span.id)) {
        branch(spans, child, zero, depth + 1, text);
    }
}

fn sorted<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<&'a Span> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|span| span.start);
    spans
}
