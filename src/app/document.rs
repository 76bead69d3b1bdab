//! The OpenAPI document: what all operations have in common is written once, here.
use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, Object, PathItem, Ref, RefOr, Response, Schema,
        path::{Operation, ParameterIn},
        schema::{ArrayItems, SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{http::Code, insights, query};

/// Explains every problem code; its `type` points here.
pub const ERRORS: &str = include_str!("../../docs/errors.md");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Aftercall",
        description = include_str!("../../docs/api.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "jobs", description = "Recordings, from intake to a final state"),
        (name = "results", description = "What was found in a recording"),
        (name = "stats", description = "Sums over all jobs"),
        (name = "exports", description = "Everything at once, as lines of JSON"),
        (name = "admin", description = "For operators: what was delivered, for all callers, and what in \
            it is new; asks for scopes of the key"),
    ),
    components(schemas(query::StreamedEvent, insights::UtteranceLine)),
    modifiers(&BearerKey),
)]
pub struct ApiDoc;

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

/// Adds what holds for all operations, and puts the problems that each can answer in the place of its
/// `4XX` and `5XX`.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    name_items_of_pages(document);
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            tell_that_nothing_is_empty(operation);
            let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
            for code in codes(path, operation) {
                by_status.entry(code.status().as_u16()).or_default().push(code);
            }
            let responses = &mut operation.responses.responses;
            responses.retain(|status, _| status != "4XX" && status != "5XX");
            for (status, response) in &mut *responses {
                describe(status, response);
            }
            for (status, codes) in by_status {
                responses.insert(status.to_string(), RefOr::T(response(&codes)));
            }
        }
    }
}

/// The items of a page are of a schema that has a name: clients made from the document then have one
/// type for them.
fn name_items_of_pages(document: &mut utoipa::openapi::OpenApi) {
    for (name, schema) in &mut document.components.get_or_insert_default().schemas {
        let (Some(item), RefOr::T(Schema::Object(page))) = (name.strip_prefix("Page_"), schema)
        else {
            continue;
        };
        if let Some(RefOr::T(Schema::Array(data))) = page.properties.get_mut("data") {
            let item = RefOr::Ref(Ref::from_schema_name(item));
            data.items = ArrayItems::RefOrSchema(Box::new(item));
        }
    }
}

/// No parameter may be empty, which [`crate::http::ApiQuery`] sees to.
fn tell_that_nothing_is_empty(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.parameter_in != ParameterIn::Query {
            continue;
        }
        match &mut parameter.schema {
            Some(RefOr::T(Schema::Object(text))) => not_empty(text),
            Some(RefOr::T(Schema::Array(list))) => {
                if let ArrayItems::RefOrSchema(items) = &mut list.items
                    && let RefOr::T(Schema::Object(text)) = &mut **items
                {
                    not_empty(text);
                }
            }
            _ => {}
        }
    }
}

fn not_empty(text: &mut Object) {
    let is_free = text.schema_type == SchemaType::new(Type::String)
        && text.enum_values.is_none()
        && text.format.is_none()
        && text.pattern.is_none();
    if is_free {
        text.min_length.get_or_insert(1);
    }
}

/// A description is required; where an operation gives none, the status says it all.
fn describe(status: &str, response: &mut RefOr<Response>) {
    let reason =
        StatusCode::from_bytes(status.as_bytes()).ok().and_then(|it| it.canonical_reason());
    if let (RefOr::T(response), Some(reason)) = (response, reason)
        && response.description.is_empty()
    {
        reason.clone_into(&mut response.description);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, .. } = item;
    [get, put, post, delete].into_iter().flatten()
}

/// What an operation can be answered follows from what it takes.
fn codes(path: &str, operation: &Operation) -> Vec<Code> {
    let takes = |name: &str, place: &ParameterIn| {
        let parameters = operation.parameters.iter().flatten();
        parameters.into_iter().any(|parameter| {
            matches!(parameter, RefOr::T(it) if it.name == name && it.parameter_in == *place)
        })
    };
    let is_tagged = |tag| operation.tags.iter().flatten().any(|it| it == tag);
    let is_of_job = path.starts_with("/v1/jobs/{id}");
    let rules = [
        (Code::InvalidParameter, true),
        (Code::CursorMismatch, takes("cursor", &ParameterIn::Query)),
        (Code::Unauthorized, true),
        (Code::MissingScope, is_tagged("admin")),
        (Code::JobNotFound, is_of_job),
        (Code::ResultNotAvailable, is_of_job && is_tagged("results")),
        (Code::DeliveryNotFound, path.starts_with("/v1/admin/deliveries/{id}")),
        (Code::StateConflict, path.ends_with("/cancel") || path.ends_with("/retry")),
        (Code::IdempotencyKeyReused, takes("Idempotency-Key", &ParameterIn::Header)),
        (Code::MalformedBody, operation.request_body.is_some()),
        (Code::BodyTooLarge, operation.request_body.is_some()),
        (Code::BodyTooSlow, operation.request_body.is_some()),
        (Code::NotJson, operation.request_body.is_some()),
        (Code::ValidationFailed, operation.request_body.is_some()),
        (Code::CallerLimit, true),
        (Code::Busy, true),
        (Code::TooManyWaits, takes("wait", &ParameterIn::Query)),
        (Code::TooManyStreams, path == "/v1/events"),
        (Code::TooManyExports, is_tagged("exports")),
        (Code::NotAcceptable, path.ends_with("/transcript")),
        (Code::PreconditionFailed, takes("If-Match", &ParameterIn::Header)),
        (Code::Internal, true),
        (Code::Unavailable, true),
        (Code::TookTooLong, true),
    ];
    rules.into_iter().filter_map(|(code, applies)| applies.then_some(code)).collect()
}

fn response(codes: &[Code]) -> Response {
    let told: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.name(), explanation(*code))).collect();
    let content = codes.iter().fold(
        Content::builder().schema(Some(Ref::from_schema_name("Problem"))),
        |content, code| {
            let example = utoipa::openapi::example::ExampleBuilder::new()
                .summary(code.title())
                .value(Some(example(*code)));
            content.examples_from_iter([(code.name(), example.build())])
        },
    );
    let mut response = Response::new(told.join("\n\n"));
    response.content.insert("application/problem+json".to_owned(), RefOr::T(content.build()));
    response
}

/// First paragraph of the code's section in docs/errors.md, without the status in front.
fn explanation(code: Code) -> String {
    let heading = format!("\n## {}\n\n", code.name());
    let section = ERRORS.split_once(&heading).map_or("", |(_, rest)| rest);
    let paragraph = section.split("\n\n").next().unwrap_or_default();
    paragraph.split_once(". ").map_or("", |(_, text)| text).replace('\n', " ")
}

fn example(code: Code) -> Value {
    json!({
        "type": format!("/docs/errors#{}", code.name()),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": explanation(code),
        "code": code.name(),
        "requestId": "0199f0c2a4b87c3e9a4d5e6f70819203",
    })
}
