//! Middleware that a listener puts around its routes: request id, log span, panics, and the check of
//! the `Host` header.
use axum::{
    Router,
    body::HttpBody as _,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer,
    validate_request::ValidateRequestHeaderLayer,
};
use uuid::Uuid;

use super::serve::HostFault;
use crate::{
    metrics::Metrics,
    telemetry::{self, TraceParent},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How a listener's requests are logged, and what is added to their responses.
#[derive(Debug, Clone)]
pub struct Observer {
    /// Its name in logs and metrics.
    pub listener: &'static str,
    /// Adds to a response what only the request says: its URI and its id.
    pub complete: fn(Response, &Uri, &str) -> Response,
    /// Whether requests continue the trace that they name. On other listeners, the handler decides.
    pub continues_traces: bool,
    pub metrics: Metrics,
}

/// Adds the log span and the request id, for a listener whose error responses have no body.
pub fn observed_only(router: Router, listener: &'static str, metrics: Metrics) -> Router {
    let complete: fn(Response, &Uri, &str) -> Response = |response, _, _| response;
    let observer = Observer { listener, complete, continues_traces: false, metrics };
    router.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(observer, observed))
            .layer(CatchPanicLayer::new())
            .layer(ValidateRequestHeaderLayer::custom(checked_host(rejected))),
    )
}

/// Adds neither: for probes and scrapes, which come every few seconds.
pub fn bare(router: Router, listener: &'static str, metrics: Metrics) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state((listener, metrics), measured))
            .layer(nosniff())
            .layer(CatchPanicLayer::new())
            .layer(ValidateRequestHeaderLayer::custom(checked_host(rejected))),
    )
}

fn rejected(_: HostFault) -> Response {
    StatusCode::BAD_REQUEST.into_response()
}

/// Browsers must not guess another type than what `Content-Type` says.
pub fn nosniff() -> SetResponseHeaderLayer<HeaderValue> {
    let nosniff = HeaderValue::from_static("nosniff");
    SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, nosniff)
}

/// Rejects requests with a bad `Host` header.
#[expect(clippy::result_large_err, reason = "signature asked for by ValidateRequestHeaderLayer")]
pub fn checked_host(
    rejected: fn(HostFault) -> Response,
) -> impl Fn(&mut Request) -> Result<(), Response> + Clone {
    move |request| match request.extensions().get::<HostFault>() {
        Some(fault) => Err(rejected(*fault)),
        None => Ok(()),
    }
}

/// Marks a response that is not worth a log line of its own: the handler logs how many there were.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

/// Gives the request an id, logs it in one line, and completes its response. Only the route is logged: real paths and
/// queries may contain secrets.
pub async fn observed(State(observer): State<Observer>, request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = given
        .filter(|id| is_request_id(id))
        .map_or_else(|| Uuid::now_v7().simple().to_string(), str::to_owned);
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let (route, method) = (name_of(matched.as_ref()), known(request.method()));
    let uri = request.uri().clone();
    let span = tracing::info_span!(
        "request",
        trace_id = tracing::field::Empty,
        request_id = id,
        listener = observer.listener,
        route,
        method,
        caller = tracing::field::Empty,
        looked_at = tracing::field::Empty,
        job_id = tracing::field::Empty,
        outcome = tracing::field::Empty,
    );
    if observer.continues_traces {
        telemetry::continue_trace(&span, TraceParent::of_request(request.headers()).as_ref());
    }
    let started = tokio::time::Instant::now();
    let response = tracing::Instrument::instrument(next.run(request), span.clone()).await;
    let mut response = (observer.complete)(response, &uri, &id);
    let status = response.status().as_u16();
    let took = started.elapsed();
    let Observer { listener, metrics, .. } = &observer;
    span.in_scope(|| metrics.responded(listener, method, route, status, took));
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let bytes = response.body().size_hint().exact();
    telemetry::tag(&span, telemetry::STATUS, i64::from(status));
    if response.extensions().get::<Quiet>().is_some() {
        span.in_scope(|| tracing::debug!(status, duration_ms, bytes, "responded"));
    } else {
        span.in_scope(|| tracing::info!(status, duration_ms, bytes, "responded"));
    }
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Records the metrics of a request and nothing else.
async fn measured(
    State((listener, metrics)): State<(&'static str, Metrics)>,
    request: Request,
    next: Next,
) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let method = known(request.method());
    let started = tokio::time::Instant::now();
    let response = next.run(request).await;
    let (route, status) = (name_of(matched.as_ref()), response.status().as_u16());
    metrics.responded(listener, method, route, status, started.elapsed());
    response
}

fn name_of(route: Option<&MatchedPath>) -> &str {
    route.map_or("unmatched", MatchedPath::as_str)
}

/// The name of a method that HTTP defines; others could be of any length.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "POST", "PUT", "HEAD", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
