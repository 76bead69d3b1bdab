//! The middleware around every route of the API: request id, log span, time limit, concurrency and rate limits, panics,
//! `Host`, and problems as the body of every failure.
use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts as _, MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, validate_request::ValidateRequestHeaderLayer};

use super::{
    ApiError, ApiState, ConcurrencyLimits, Operations, RateLimits, caller::Credential, paths,
    problem,
};
use crate::{
    callers::Caller,
    http::{self, Awaited, Holding, Observer, Wait, checked_host, nosniff, observed},
    metrics::Metrics,
};

/// Paths below it are the API itself: a key is needed there, and limited.
const API: &str = "/v1/";

/// What a request may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Time for the response on top of the wait that was asked for, and for the body.
    pub timeout: Duration,
    pub concurrency: ConcurrencyLimits,
    pub rates: RateLimits,
    pub operations: Arc<Operations>,
    pub metrics: Metrics,
}

/// The response at a path where there is nothing.
pub async fn no_such_route(State(state): State<ApiState>, request: Request) -> ApiError {
    limited_or(ApiError::NoSuchRoute, &state, request).await
}

/// The response to a method that a path does not have.
pub async fn no_such_method(State(state): State<ApiState>, request: Request) -> ApiError {
    limited_or(ApiError::MethodNotAllowed, &state, request).await
}

/// `otherwise`, except that a key that may make no more requests learns that first.
async fn limited_or(otherwise: ApiError, state: &ApiState, request: Request) -> ApiError {
    let (mut parts, _) = request.into_parts();
    if !parts.uri.path().starts_with(API) || Credential::of(&parts, state).is_none() {
        return otherwise;
    }
    match Caller::from_request_parts(&mut parts, state).await {
        Err(limit @ ApiError::RateLimited { .. }) => limit,
        _ => otherwise,
    }
}

/// Adds the middleware. A request passes it from top to bottom, its response from bottom to top.
pub fn layered<S: Clone + Send + Sync + 'static>(router: Router<S>, limits: Limits) -> Router<S> {
    let observer = Observer {
        listener: "api",
        complete: problem::completed,
        continues_traces: true,
        metrics: limits.metrics.clone(),
    };
    // Few `from_fn` layers: each of them clones the whole stack below it, for every request.
    router.layer(
        ServiceBuilder::new()
            .layer(nosniff())
            .layer(from_fn_with_state(observer, observed))
            .layer(from_fn_with_state(limits, limited))
            .layer(CatchPanicLayer::custom(ApiError::from_panic))
            .layer(ValidateRequestHeaderLayer::custom(checked_host(|fault| {
                ApiError::from(fault).into_response()
            }))),
    )
}

/// Gives the request its permit, which it holds until its response is sent. Responds with a problem when the handler takes
/// too long, or when the body does. Every response of the API says what is left of the rate limit.
async fn limited(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let timeout = timeout(&limits, &request);
    let (mut parts, body) = request.into_parts();
    let (body, awaited) = Awaited::watch(body);
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let terms = limits.operations.terms(route, &parts.method);
    let permit = limits.concurrency.request(&limits.rates, terms);
    let address = parts.uri.path().starts_with(API).then(|| http::address(&parts.extensions));
    parts.extensions.insert(permit.clone());
    let response = next.run(Request::from_parts(parts, body));
    let mut response = match tokio::time::timeout(timeout, response).await {
        Ok(response) => response,
        Err(_) if awaited.is_so() => ApiError::BodyTooSlow.into_response(),
        Err(_) => ApiError::TookTooLong.into_response(),
    };
    if let Some(address) = address {
        permit.show_rate(address, response.headers_mut());
    }
    if response.status() == StatusCode::TOO_MANY_REQUESTS
        && let Some(caller) = permit.caller_name()
    {
        limits.metrics.rate_limited(caller);
    }
    response.map(|body| Body::new(Holding::new(body, permit)))
}

/// On top of the wait that was asked for. An upload may take as long as its client keeps sending; its handler limits that.
fn timeout(limits: &Limits, request: &Request) -> Duration {
    let route = request.extensions().get::<MatchedPath>();
    if request.method() == Method::POST && route.is_some_and(|it| it.as_str() == paths::ALL_MEDIA) {
        return Duration::MAX;
    }
    let wait = Wait::asked(request.uri(), request.headers());
    limits.timeout + wait.map_or(Duration::ZERO, Wait::duration)
}
