//! The REST API as one router, and the document that describes it.
use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    response::IntoResponse as _,
    routing::get,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Server,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    admin,
    callers::KnownCallers,
    config::{ApiSettings, bytes},
    http::{self, ApiState, OpsState},
    intake, query,
};

/// Explains every problem code; its `type` points here.
const ERRORS: &str = include_str!("../../docs/errors.md");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Aftercall",
        description = "Hand over recordings, get durable and searchable insights. Every error is a \
            problem document (RFC 9457); match on its `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "jobs", description = "Recordings, from intake to a final state"),
        (name = "results", description = "What was found in a recording"),
        (name = "stats", description = "Sums over all jobs"),
        (name = "admin", description = "For operators: what was delivered, for all callers, and what in \
            it is new; asks for scopes of the key"),
    ),
    modifiers(&BearerKey),
)]
struct ApiDoc;

struct BearerKey;

impl Modify for BearerKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key made by `aftercall keys create`."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// All routes, and the document that describes them.
pub fn api() -> (Router<ApiState>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .merge(intake::router())
        .merge(query::router())
        .merge(admin::router())
        .split_for_parts()
}

/// The document as it is checked in and served.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn document() -> serde_json::Result<String> {
    api().1.to_pretty_json()
}

/// The API with its pages and middleware, as served and as tested.
pub fn router(state: ApiState, health: OpsState, settings: &ApiSettings) -> Router {
    let (routes, mut document) = api();
    if let Some(url) = &settings.public_url {
        document.servers = Some(vec![Server::new(url.as_str().trim_end_matches('/'))]);
    }
    let limit = bytes(settings.max_body);
    let pages = Router::new()
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .route("/docs/errors", get(errors));
    let all = routes.with_state(state).merge(pages).merge(http::health(health));
    http::layered(http::fallbacks(all), "api", settings.request_timeout)
        .layer(DefaultBodyLimit::max(limit))
        .layer(Extension(KnownCallers::default()))
}

async fn errors() -> axum::response::Response {
    let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], ERRORS).into_response()
}
