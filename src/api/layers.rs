//! The middleware around every route of the API: request id, log span, panics, `Host`, time limit,
//! concurrency limits, and problems as the body of every failure.
use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, validate_request::ValidateRequestHeaderLayer};

use super::{ApiError, ConcurrencyLimits, problem};
use crate::{
    http::{Awaited, Holding, Observer, Wait, checked_host, nosniff, observed},
    metrics::Metrics,
};

/// Responds with problems to unknown paths and wrong methods.
pub fn fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(async || ApiError::NoSuchRoute)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
}

/// Adds the middleware. A request passes it from top to bottom, its response from bottom to top.
pub fn layered<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    timeout: Duration,
    limits: ConcurrencyLimits,
    metrics: Metrics,
) -> Router<S> {
    let observer = Observer {
        listener: "api",
        complete: problem::completed,
        continues_traces: true,
        metrics: metrics.clone(),
    };
    // Few `from_fn` layers: each of them clones the whole stack below it, for every request.
    router.layer(
        ServiceBuilder::new()
            .layer(nosniff())
            .layer(from_fn_with_state(observer, observed))
            .layer(CatchPanicLayer::custom(ApiError::from_panic))
            .layer(ValidateRequestHeaderLayer::custom(checked_host(|fault| {
                ApiError::from(fault).into_response()
            })))
            .layer(from_fn_with_state((timeout, limits, metrics), limited)),
    )
}

/// Gives the request its permit, which it holds until its response is sent. Responds with a problem when
/// the handler takes longer than `timeout` on top of the wait that was asked for, or when the body does.
async fn limited(
    State((timeout, limits, metrics)): State<(Duration, ConcurrencyLimits, Metrics)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let wait = Wait::asked(request.uri(), request.headers()).map_or(Duration::ZERO, Wait::duration);
    let (mut parts, body) = request.into_parts();
    let (body, awaited) = Awaited::watch(body);
    let permit = limits.request();
    parts.extensions.insert(permit.clone());
    let response = next.run(Request::from_parts(parts, body));
    let too_late = |_| if awaited.is_so() { ApiError::BodyTooSlow } else { ApiError::TookTooLong };
    let response = tokio::time::timeout(timeout + wait, response).await.map_err(too_late)?;
    if response.status() == StatusCode::TOO_MANY_REQUESTS
        && let Some(caller) = permit.caller_name()
    {
        metrics.rate_limited(caller);
    }
    Ok(response.map(|body| Body::new(Holding::new(body, permit))))
}
