//! The middleware around every route of a listener: request id, log span, panics, deadline, problems,
//! and what HTTP itself asks of a request.
use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody as _},
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

use super::{
    ApiError, Problem, Shares, Wait, holding::Holding, serve::HostFault, shortened, upload::Awaited,
};

/// Most bytes of a request's path that its problem repeats.
const MAX_INSTANCE: usize = 256;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Unknown paths and wrong methods are problems too.
pub fn fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(async || ApiError::NoSuchRoute)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
}

/// Adds the middleware. A request passes it from top to bottom, its response from bottom to top.
pub fn layered<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    listener: &'static str,
    limit: Duration,
    shares: Shares,
) -> Router<S> {
    let refused = |fault| ApiError::from(fault).into_response();
    // Few `from_fn` layers: each of them clones the whole stack below it, for every request.
    router.layer(
        ServiceBuilder::new()
            .layer(nosniff())
            .layer(from_fn_with_state(listener, observed))
            .layer(CatchPanicLayer::custom(ApiError::from_panic))
            .layer(ValidateRequestHeaderLayer::custom(hosted(refused)))
            .layer(from_fn_with_state((limit, shares), limited)),
    )
}

/// Adds the log span and the request id only, for a listener whose answers stay bare.
pub fn observed_only(router: Router, listener: &'static str) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(listener, observed))
            .layer(CatchPanicLayer::new())
            .layer(ValidateRequestHeaderLayer::custom(hosted(refused_barely))),
    )
}

/// Not even those: for questions that are asked every few seconds.
pub fn bare(router: Router) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(nosniff())
            .layer(CatchPanicLayer::new())
            .layer(ValidateRequestHeaderLayer::custom(hosted(refused_barely))),
    )
}

fn refused_barely(_: HostFault) -> Response {
    StatusCode::BAD_REQUEST.into_response()
}

/// Browsers take an answer for what its `Content-Type` says, and for nothing else.
pub fn nosniff() -> SetResponseHeaderLayer<HeaderValue> {
    let nosniff = HeaderValue::from_static("nosniff");
    SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, nosniff)
}

/// Turns requests away whose `Host` is not in order.
#[expect(clippy::result_large_err, reason = "signature asked for by ValidateRequestHeaderLayer")]
fn hosted(
    refused: fn(HostFault) -> Response,
) -> impl Fn(&mut Request) -> Result<(), Response> + Clone {
    move |request| match request.extensions().get::<HostFault>() {
        Some(fault) => Err(refused(*fault)),
        None => Ok(()),
    }
}

/// Goes with an answer that is one of too many for a line each; whoever gives it tells how many.
#[derive(Debug, Clone, Copy)]
pub struct Untold;

/// Gives the request an id, writes one log line about it, and the body of a problem. The path is logged
/// as its route only: real paths and queries may hold secrets.
async fn observed(State(listener): State<&'static str>, request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = given
        .filter(|id| is_request_id(id))
        .map_or_else(|| Uuid::now_v7().simple().to_string(), str::to_owned);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let uri = request.uri().clone();
    let span = tracing::info_span!(
        "request",
        request_id = id,
        listener,
        route = route.as_ref().map_or("unmatched", MatchedPath::as_str),
        method = known(request.method()),
        caller = tracing::field::Empty,
        job_id = tracing::field::Empty,
        outcome = tracing::field::Empty,
    );
    let started = tokio::time::Instant::now();
    let response = tracing::Instrument::instrument(next.run(request), span.clone()).await;
    let mut response = problem_completed(response, &uri, &id);
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let bytes = response.body().size_hint().exact();
    if response.extensions().get::<Untold>().is_some() {
        span.in_scope(|| tracing::debug!(status, duration_ms, bytes, "answered"));
    } else {
        span.in_scope(|| tracing::info!(status, duration_ms, bytes, "answered"));
    }
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The name of a method that HTTP has; any other may be of any length.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "POST", "PUT", "HEAD", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Writes the body of a problem, now that the request is at hand.
fn problem_completed(mut response: Response, uri: &Uri, request_id: &str) -> Response {
    let problem = response.extensions_mut().remove::<Arc<Problem>>();
    let Some(mut problem) = problem.and_then(Arc::into_inner) else { return response };
    problem.instance = Some(shortened(uri.path().to_owned(), MAX_INSTANCE));
    problem.request_id = Some(request_id.to_owned());
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    match serde_json::to_vec(&problem) {
        Ok(body) => Response::from_parts(parts, body.into()),
        Err(error) => ApiError::Internal(Box::new(error)).into_response(),
    }
}

/// Gives the request its turn, which lasts until its answer is sent; and answers with a problem when a
/// handler takes longer than `limit`, besides the wait it was asked for, or when its body does.
async fn limited(
    State((limit, shares)): State<(Duration, Shares)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let wait = Wait::asked(request.uri(), request.headers()).map_or(Duration::ZERO, Wait::duration);
    let (mut parts, body) = request.into_parts();
    let (body, awaited) = Awaited::watch(body);
    let turn = shares.turn();
    parts.extensions.insert(turn.clone());
    let answer = next.run(Request::from_parts(parts, body));
    let too_late = |_| if awaited.is_so() { ApiError::BodyTooSlow } else { ApiError::TookTooLong };
    let answer = tokio::time::timeout(limit + wait, answer).await.map_err(too_late)?;
    Ok(answer.map(|body| Body::new(Holding::new(body, turn))))
}
