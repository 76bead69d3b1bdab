//! Traces: the exporter, and the trace that the current code belongs to.
//!
//! Spans are those of `tracing`. A span that is handed another process's trace must be so before anything asks for its
//! place, since a span that has an id keeps its parent.
use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    trace::{Link, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceState},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{
        BatchSpanProcessor, SamplingDecision, ShouldSample, SpanData, SpanEvents, SpanLinks,
        SpanProcessor as _,
    },
};
use tracing::Span;

pub use opentelemetry::trace::TraceId;

use super::{
    export::{self, LoggedExporter},
    layer::{self, TraceLayer},
    sampler::{SamplerError, sampler},
};
use crate::config::{self, TracesEnvironment};

/// How long a shutdown waits for the last spans.
const LAST_WAIT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SERVICE: &str = env!("CARGO_PKG_NAME");

/// Set while spans are exported.
pub(super) static PIPELINE: OnceLock<Pipeline> = OnceLock::new();

/// The exporter; without one, spans are only context for the log.
#[derive(Debug, Default)]
pub struct Traces(Option<&'static Pipeline>);

/// Where spans get their ids, and where they go when they have ended.
#[derive(Debug)]
pub(super) struct Pipeline {
    processor: BatchSpanProcessor,
    sampler: Box<dyn ShouldSample>,
    scope: InstrumentationScope,
}

impl Pipeline {
    /// Gives a span that begins below `parent`, or a trace of its own, its ids, and decides whether it is exported.
    pub fn begin(
        &self,
        parent: Option<&SpanContext>,
        name: &str,
        attributes: &[KeyValue],
    ) -> SpanContext {
        let trace = parent.map_or_else(|| rand::random::<u128>().into(), SpanContext::trace_id);
        let context = parent.map(|parent| Context::new().with_remote_span_context(parent.clone()));
        let kind = export::kind(name);
        let sampled =
            self.sampler.should_sample(context.as_ref(), trace, name, &kind, attributes, &[]);
        let is_sampled = sampled.decision == SamplingDecision::RecordAndSample;
        let flags = TraceFlags::NOT_SAMPLED.with_sampled(is_sampled);
        SpanContext::new(trace, rand::random::<u64>().into(), flags, false, TraceState::NONE)
    }

    /// Queues the span, or drops it if the queue is full.
    pub fn end(&self, span: EndedSpan) {
        let name = export::shown(&span);
        let status = if export::has_failed(&span) { Status::error("") } else { Status::Unset };
        let mut links = SpanLinks::default();
        links.links = span.links;
        self.processor.on_end(SpanData {
            span_context: span.context,
            parent_span_id: span.parent.as_ref().map_or(SpanId::INVALID, SpanContext::span_id),
            parent_span_is_remote: span.parent.is_some_and(|parent| parent.is_remote()),
            span_kind: export::kind(span.name),
            name,
            start_time: span.started,
            end_time: span.ended,
            attributes: span.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status,
            instrumentation_scope: self.scope.clone(),
        });
    }
}

/// A span with what is exported of it.
#[derive(Debug)]
pub(super) struct EndedSpan {
    /// As the code calls it.
    pub name: &'static str,
    pub context: SpanContext,
    pub parent: Option<SpanContext>,
    pub started: SystemTime,
    pub ended: SystemTime,
    pub attributes: Vec<KeyValue>,
    pub links: Vec<Link>,
}

/// Why spans are not exported although an endpoint is set.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, the only one supported")]
    Protocol,
    #[error("the endpoint must be an http:// or https:// URL, such as http://collector:4318")]
    Endpoint,
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// Without the SDK's message, which quotes the variable.
    #[error("an OTEL_EXPORTER_OTLP_* variable is invalid")]
    Exporter,
}

impl Traces {
    /// Starts the export thread if the environment has an endpoint. Blocks: not for threads of the runtime.
    ///
    /// # Errors
    /// When the variables cannot be used.
    pub fn start(environment: &TracesEnvironment) -> Result<Self, SetupError> {
        let Some(endpoint) = &environment.endpoint else { return Ok(Self(None)) };
        if environment.protocol.as_deref().is_some_and(|asked| asked != "http/protobuf") {
            return Err(SetupError::Protocol);
        }
        let endpoint = endpoint.parse().map_err(|_| SetupError::Endpoint)?;
        let client = reqwest::blocking::Client::builder();
        let client = if config::is_here(&endpoint) { client.no_proxy() } else { client };
        let client = client
            .connect_timeout(CONNECT_TIMEOUT.min(environment.timeout))
            .timeout(environment.timeout)
            // The headers may be credentials, and are meant for the endpoint alone.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(environment.timeout)
            .build()
            .map_err(|_| SetupError::Exporter)?;
        let sampler = sampler(environment)?;
        let mut processor = BatchSpanProcessor::builder(LoggedExporter::new(exporter)).build();
        processor.set_resource(&resource());
        let scope = InstrumentationScope::builder(SERVICE).build();
        Ok(Self(Some(PIPELINE.get_or_init(|| Pipeline { processor, sampler, scope }))))
    }

    /// The layer that turns spans of `tracing` into spans of traces.
    pub(super) fn layer(&self) -> Option<TraceLayer> {
        self.0.map(TraceLayer)
    }

    pub fn are_exported(&self) -> bool {
        self.0.is_some()
    }

    /// Exports the spans that have ended, within a bound.
    pub async fn stop(self) {
        let Some(pipeline) = self.0 else { return };
        let flushed = move || pipeline.processor.shutdown_with_timeout(LAST_WAIT);
        if !matches!(tokio::task::spawn_blocking(flushed).await, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be exported");
        }
    }
}

/// `service.name` is `aftercall` unless the environment has another.
fn resource() -> Resource {
    let given = Resource::builder().build();
    let name = given.get(&"service.name".into()).map(|name| name.to_string());
    let is_given = name.is_some_and(|name| !name.starts_with("unknown_service"));
    let builder = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_given { builder.build() } else { builder.with_service_name(SERVICE).build() }
}

/// The id of the current trace, if it is exported: for exemplars.
///
/// Gives the current span its place. On the webhook listener, call it only after the delivery has been stored: before, the
/// request has not joined its job's trace yet, and then never would.
pub fn trace_id() -> Option<TraceId> {
    let context = layer::context(&Span::current())?;
    context.is_sampled().then(|| context.trace_id())
}
