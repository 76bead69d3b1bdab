//! The pages for people: the API's documentation, and what each problem means.
use axum::{Router, response::Html, routing::get};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, html};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::document::ERRORS;

pub fn router(document: OpenApi) -> Router {
    Router::new()
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document).config(config()))
        .route("/docs/errors", get(async || Html(errors())))
}

/// The page keeps the key over a reload, and can be typed into without further ado.
fn config() -> Config<'static> {
    Config::default()
        .deep_linking(true)
        .default_models_expand_depth(0)
        .display_request_duration(true)
        .filter(true)
        .persist_authorization(true)
        .show_common_extensions(true)
        .try_it_out_enabled(true)
}

/// docs/errors.md with an anchor for each code: the `type` of a problem is a link to it.
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

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;\
    color:#222;background:#fff}h2{font-family:ui-monospace,monospace;font-size:1.1rem;margin-top:2rem}\
    h2:target{background:#ffe9a8}code{background:#f3f3f3;padding:0 .2em}pre{background:#f3f3f3;padding:1rem;\
    overflow:auto}pre code{padding:0}";
