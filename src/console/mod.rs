//! The web console, on the API's listener: the files that browsers load, and their sessions.
//!
//! Its pages call the routes below `/v1` like any other client, except that a session's cookie takes the place of
//! `Authorization`: [`Session`](crate::api::Session).
mod assets;
mod links;
mod session;
mod sign_in;

use std::sync::Arc;

use axum::{
    Router,
    extract::FromRef,
    http::{HeaderName, HeaderValue, header},
    response::Redirect,
    routing::get,
};
use tower_http::set_header::SetResponseHeaderLayer;

pub use links::{Entrance, Link, Links};

use crate::api::{ApiError, ApiState, SessionTerms};

/// Where the console is, on the API's listener.
pub const ROOT: &str = "/console/";

/// Everything from here, and nothing inline.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Of other abilities of browsers, pages need none that would have to be granted.
const PERMISSIONS: &str =
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";

/// What the console's own routes can access.
#[derive(Debug, Clone)]
pub struct ConsoleState {
    pub api: ApiState,
    pub terms: SessionTerms,
    pub links: Links,
    /// `AFTERCALL_ENV`.
    pub environment: Arc<str>,
}

impl FromRef<ConsoleState> for ApiState {
    fn from_ref(state: &ConsoleState) -> Self {
        state.api.clone()
    }
}

pub fn router(state: ConsoleState) -> Router {
    let routes = Router::new()
        .route("/console", get(async || Redirect::temporary(ROOT)))
        .route(ROOT, get(assets::page))
        .route("/console/{*page}", get(assets::page))
        .route("/console/jobs/{id}", get(assets::call))
        .route("/console/assets/", get(async || ApiError::NoSuchRoute))
        .route("/console/assets/{*asset}", get(assets::asset))
        .route("/console/sign-in", get(sign_in::by_link))
        .route(
            "/console/session",
            get(session::show).post(sign_in::by_key).patch(session::look_at).delete(session::end),
        )
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(state);
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    headers.into_iter().fold(routes, |routes, (name, value)| {
        let value = HeaderValue::from_static(value);
        routes.layer(SetResponseHeaderLayer::overriding(name, value))
    })
}
