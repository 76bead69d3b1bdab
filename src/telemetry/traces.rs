//! Traces: the exporter, and the trace that the current code belongs to.
//!
//! Spans are those of `tracing`. A span that is handed another process's trace must be so before anything reads its
//! context, since a span that has an id keeps its parent.
use std::{sync::OnceLock, time::Duration};

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::{Layer, Registry};

pub use opentelemetry::trace::TraceId;

use super::{export::Discreet, filter::TraceFilter};
use crate::config::{self, TracesEnvironment};

/// How long a shutdown waits for the last spans.
const LAST_WAIT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SERVICE: &str = env!("CARGO_PKG_NAME");

/// Set while spans are exported.
pub(super) static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The exporter; without one, spans are only context for the log.
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

/// Why spans are not exported although an endpoint is set.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, the only one supported")]
    Protocol,
    #[error("the endpoint must be an http:// or https:// URL, such as http://collector:4318")]
    Endpoint,
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
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
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Discreet::new(exporter))
            .with_resource(resource())
            .build();
        // Already set only if a process started twice, which none does.
        let _ = TRACER.set(provider.tracer(SERVICE));
        Ok(Self(Some(provider)))
    }

    /// The layer that turns spans of `tracing` into spans of traces.
    pub fn layer(&self) -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
        let provider = self.0.as_ref()?;
        // Places in the code, threads and events say nothing that the log does not say better, and cost a good deal.
        let layer = OpenTelemetryLayer::new(provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Spans would otherwise get their ids when first entered, before their parent may be known.
            .with_context_activation(false);
        Some(layer.with_filter(TraceFilter).boxed())
    }

    pub fn are_exported(&self) -> bool {
        self.0.is_some()
    }

    /// Exports the spans that have ended, within a bound.
    pub async fn stop(self) {
        let Some(provider) = self.0 else { return };
        let flushed = move || provider.shutdown_with_timeout(LAST_WAIT);
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
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_given { builder.build() } else { builder.with_service_name(SERVICE).build() }
}

/// The id of the current trace, if it is exported: for exemplars.
///
/// Gives the current span its id. On the webhook listener, call it only after the delivery has been stored: before, the
/// request has not joined its job's trace yet, and then never would.
pub fn trace_id() -> Option<TraceId> {
    TRACER.get()?;
    let context = Span::current().context();
    let span = context.span();
    let context = span.span_context();
    (context.is_valid() && context.is_sampled()).then(|| context.trace_id())
}
