//! The OpenAPI document: everything that all operations share is added here.
use axum::http::{Method, StatusCode};
use clap::ValueEnum as _;
use serde_json::Value;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Object, PathItem, Ref, RefOr, Response, Schema,
        path::{Operation, ParameterIn},
        schema::{ArrayItems, SchemaType, Type},
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
    },
};

use crate::{
    api::{Operations, Problem, Terms, session},
    callers::Scope,
};

/// Extension of an operation: how many requests it counts as.
const WEIGHT: &str = "x-rate-weight";

/// The scheme that operations name.
const KEY: &str = "key";
const SESSION: &str = "The cookie of the web console, for browsers only. Requests other than GET and HEAD also need the \
    header `Aftercall-Console: 1` (otherwise 403 `console-header-missing`), and are refused while the console is read-only \
    (403 `read-only`).";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Aftercall",
        description = include_str!("../../docs/api.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "jobs", description = "Recordings, from submission to a final state"),
        (name = "media", description = "Private recordings, uploaded for jobs"),
        (name = "results", description = "The results of a recording"),
        (name = "stats", description = "Totals over many jobs"),
        (name = "exports", description = "All jobs or utterances, as newline-delimited JSON"),
        (name = "notifications", description = "Endpoints at which you are notified, and the messages to them"),
        (name = "admin", description = "For operators: deliveries of all callers, and the state of the provider"),
    ),
    components(schemas(Problem)),
    modifiers(&SecuritySchemes),
)]
pub struct ApiDoc;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let key = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key made by `aftercall keys create`. Each operation names the scopes that the key needs."))
            .build();
        let session = ApiKeyValue::with_description(session::COOKIE, SESSION);
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(KEY, SecurityScheme::Http(key));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// Adds everything that applies to all operations.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    name_items_of_pages(document);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        tell_that_nothing_is_empty(operation);
        tell_the_scopes(operation);
        allow_sessions(operation);
        for (status, response) in &mut operation.responses.responses {
            describe(status, response);
        }
    }
}

/// Gives the items of pages a named schema, so that generated clients have one type for them.
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

/// Adds the scopes of an operation's `security` to its description, since most tools show only that.
fn tell_the_scopes(operation: &mut Operation) {
    let scopes = scopes(operation);
    if scopes.is_empty() {
        return;
    }
    let noun = if scopes.len() == 1 { "scope" } else { "scopes" };
    let needs = format!("Needs the {noun} `{}`.", scopes.join("` and `"));
    operation.description = Some(match operation.description.take() {
        Some(description) if !description.is_empty() => format!("{description}\n\n{needs}"),
        _ => needs,
    });
}

/// A session takes the place of its key.
fn allow_sessions(operation: &mut Operation) {
    let scopes = scopes(operation);
    if let Some(alternatives) = operation.security.as_mut().filter(|_| !scopes.is_empty()) {
        alternatives.push(SecurityRequirement::new("session", scopes));
    }
}

/// What the operations ask of a key: the scopes of their `security`, and `x-rate-weight` where it is not 1.
pub fn terms(document: &mut utoipa::openapi::OpenApi) -> Operations {
    let mut all = Operations::default();
    for (path, item) in &mut document.paths.paths {
        let PathItem { get, put, post, patch, delete, .. } = item;
        let methods = [
            (Method::GET, get),
            (Method::PUT, put),
            (Method::POST, post),
            (Method::PATCH, patch),
            (Method::DELETE, delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            let extension = operation.extensions.as_ref().and_then(|it| it.get(WEIGHT));
            let weight = extension.and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok());
            let names = scopes(operation);
            let scopes = names.iter().filter_map(|it| Scope::from_str(it, false).ok());
            let terms = Terms { weight: weight.unwrap_or(1), scopes: scopes.collect() };
            all.add(path, method, terms);
        }
    }
    all
}

fn scopes(operation: &Operation) -> Vec<String> {
    let requirements = serde_json::to_value(&operation.security).unwrap_or_default();
    let scopes = requirements.pointer("/0/key").and_then(Value::as_array).into_iter().flatten();
    scopes.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Documents that no parameter may be empty; [`crate::api::ApiQuery`] rejects empty ones.
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

/// Descriptions are required; where an operation gives none, the status's reason phrase is enough.
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
    let PathItem { get, put, post, patch, delete, .. } = item;
    [get, put, post, patch, delete].into_iter().flatten()
}
