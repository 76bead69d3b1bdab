//! The REST API as one router, and its OpenAPI document.
use axum::{Extension, Router};
use utoipa::{OpenApi as _, openapi::Server};
use utoipa_axum::router::OpenApiRouter;

use super::{
    document::{ApiDoc, complete, terms},
    pages,
};
use crate::{
    admin,
    api::{self, ApiError, ApiState, ConcurrencyLimits, Limits, RateLimits},
    callers::Replicas,
    config::{ApiSettings, Settings},
    console::{self, ConsoleState},
    http::{self, OpsState},
    intake::{self, Submissions},
    metrics::Metrics,
    notify, query, retention,
};

/// All routes, and the document that describes them.
pub fn api() -> (Router<ApiState>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .merge(intake::router())
        .merge(query::router())
        .merge(notify::router())
        .merge(admin::router())
        .merge(retention::router())
        .split_for_parts();
    complete(&mut document);
    (router, document)
}

/// The document as checked in and served.
///
/// # Errors
/// When it cannot be serialized.
pub fn document() -> serde_json::Result<String> {
    api().1.to_pretty_json()
}

/// What the API's listener serves, needs or counts besides the API.
pub struct Around {
    /// `None`: it is off.
    pub console: Option<ConsoleState>,
    pub health: OpsState,
    pub submissions: Submissions,
    pub replicas: Replicas,
    pub metrics: Metrics,
}

/// The API with its pages and middleware, as served and as tested.
pub fn router(
    state: ApiState,
    around: Around,
    settings: &Settings,
    granted: &ApiSettings,
) -> Router {
    let Around { console, health, submissions, replicas, metrics } = around;
    let (routes, mut document) = api();
    let limits = Limits {
        timeout: granted.request_timeout,
        concurrency: ConcurrencyLimits::new(granted, &settings.media),
        rates: RateLimits::new(&settings.keys, replicas),
        operations: terms(&mut document).into(),
        metrics,
    };
    if let Some(url) = &granted.public_url {
        document.servers = Some(vec![Server::new(url.as_str().trim_end_matches('/'))]);
    }
    let pages = pages::router(document).merge(http::health(health));
    let pages = pages.method_not_allowed_fallback(async || ApiError::MethodNotAllowed);
    let pages = console.map(console::router).into_iter().fold(pages, Router::merge);
    let routes = routes
        .fallback(api::no_such_route)
        .method_not_allowed_fallback(api::no_such_method)
        .with_state(state)
        .layer(Extension(submissions));
    api::layered(routes.merge(pages), limits)
}
