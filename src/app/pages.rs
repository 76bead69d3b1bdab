//! The pages for people: the API's documentation and the explanations of problems. Their content security policy is as
//! strict as possible: nothing from other origins, nothing inline, no framing.
use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::Html,
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, html};
use sha2::{Digest as _, Sha256};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::api::problems::ERRORS;

pub fn router(document: OpenApi) -> Router {
    let docs = SwaggerUi::new("/docs").url("/openapi.json", document).config(config());
    let errors = Router::new().route("/docs/errors", get(async || Html(errors())));
    strictly(Router::new().merge(docs), &of_docs()).merge(strictly(errors, &style(STYLE)))
}

/// Swagger UI loads its scripts and styles from here, and calls the API.
fn of_docs() -> String {
    format!("script-src 'self'; {} 'self'; connect-src 'self'", style(STYLE_OF_LOGO))
}

/// Allows one inline style, identified by its digest.
fn style(text: &str) -> String {
    format!("style-src 'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Adds a policy that allows only `sources`.
fn strictly(pages: Router, sources: &str) -> Router {
    let policy = format!(
        "default-src 'none'; {sources}; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let with =
        |name: HeaderName, value: HeaderValue| SetResponseHeaderLayer::overriding(name, value);
    // Always ASCII, since it is built from constants; the fallback, which allows nothing, is never used.
    let policy = HeaderValue::try_from(policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    pages
        .layer(with(header::CONTENT_SECURITY_POLICY, policy))
        .layer(with(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
}

/// Requests can be tried out immediately. The key is not persisted: anything stored in the browser could be read by
/// whatever else this origin serves.
fn config() -> Config<'static> {
    Config::default()
        .deep_linking(true)
        .default_models_expand_depth(0)
        .display_request_duration(true)
        .filter(true)
        .persist_authorization(false)
        .show_common_extensions(true)
        .try_it_out_enabled(true)
}

/// docs/errors.md with an anchor for each code, which the `type` of a problem links to.
fn errors() -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(ERRORS, Options::ENABLE_TABLES).collect();
    for i in 1..events.len() {
        let (before, after) = events.split_at_mut(i);
        if let (
            Some(Event::Start(Tag::Heading { level: HeadingLevel::H2, id, .. })),
            Event::Text(code),
        ) = (before.last_mut(), &after[0])
        {
            *id = Some(code.clone());
        }
    }
    let mut body = String::new();
    html::push_html(&mut body, events.into_iter());
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Aftercall: errors</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">\
         <style>{STYLE}</style></head><body>{body}</body></html>"
    )
}

/// The style with which Swagger UI draws its logo.
const STYLE_OF_LOGO: &str = ".logo_small_svg__cls-2{fill:#fff}.logo_small_svg__cls-3{fill:#85ea2d}";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;\
    color:#222;background:#fff}h2{font-family:ui-monospace,monospace;font-size:1.1rem;margin-top:2rem}\
    h2:target{background:#ffe9a8}code{background:#f3f3f3;padding:0 .2em}pre{background:#f3f3f3;padding:1rem;\
    overflow:auto}pre code{padding:0}";
