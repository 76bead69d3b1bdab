//! The REST API as one router, and its OpenAPI document.
use axum::Router;
use utoipa::{OpenApi as _, openapi::Server};
use utoipa_axum::router::OpenApiRouter;

use super::{
    document::{ApiDoc, complete},
    pages,
};
use crate::{
    admin,
    api::{self, ApiState, ConcurrencyLimits},
    config::ApiSettings,
    http::{self, OpsState},
    intake,
    metrics::Metrics,
    query,
};

/// All routes, and the document that describes them.
pub fn api() -> (Router<ApiState>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .merge(intake::router())
        .merge(query::router())
        .merge(admin::router())
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

/// The API with its pages and middleware, as served and as tested.
pub fn router(
    state: ApiState,
    health: OpsState,
    settings: &ApiSettings,
    metrics: Metrics,
) -> Router {
    let (routes, mut document) = api();
    if let Some(url) = &settings.public_url {
        document.servers = Some(vec![Server::new(url.as_str().trim_end_matches('/'))]);
    }
    let all = routes.with_state(state).merge(pages::router(document)).merge(http::health(health));
    let limits = ConcurrencyLimits::new(settings);
    api::layered(api::fallbacks(all), settings.request_timeout, limits, metrics)
}
