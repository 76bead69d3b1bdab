//! The problems of each operation: declared beside its handler, described in the OpenAPI document.
use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, example::ExampleBuilder},
};

pub use super::Code;

/// Explains every problem code; the `type` of a problem points into it.
pub const ERRORS: &str = include_str!("../../docs/errors.md");

/// For `responses` of an operation: the problems of every operation, and its own, given by [`codes`].
pub struct Problems<const OWN: u64 = 0>;

/// Of every operation: each takes an API key with a scope, and parameters, is limited per caller, and needs Postgres.
const OF_ALL: u64 = codes(&[
    Code::InvalidParameter,
    Code::Unauthorized,
    Code::MissingScope,
    Code::RateLimited,
    Code::CallerLimit,
    Code::Busy,
    Code::Internal,
    Code::Unavailable,
    Code::TookTooLong,
]);

/// Of those that read a body, with [`super::ApiJson`].
pub const OF_BODY: u64 = codes(&[
    Code::MalformedBody,
    Code::NotJson,
    Code::BodyTooLarge,
    Code::BodyTooSlow,
    Code::ValidationFailed,
]);

/// Of those about a job, with [`super::OwnedJob`].
pub const OF_JOB: u64 = codes(&[Code::JobNotFound]);

/// Of those about an endpoint.
pub const OF_ENDPOINT: u64 = codes(&[Code::EndpointNotFound]);

/// Of those about the result of a job.
pub const OF_RESULT: u64 = OF_JOB | codes(&[Code::ResultNotAvailable, Code::ResultExpired]);

/// One bit for each code: a type cannot have a list as its parameter.
pub const fn codes(list: &[Code]) -> u64 {
    let (mut bits, mut n) = (0, 0);
    while n < list.len() {
        bits |= 1 << list[n] as u64;
        n += 1;
    }
    bits
}

impl<const OWN: u64> IntoResponses for Problems<OWN> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut by_status: BTreeMap<String, Vec<Code>> = BTreeMap::new();
        let is_declared = |code: &&Code| (OF_ALL | OWN) & codes(&[**code]) != 0;
        for code in Code::ALL.iter().filter(is_declared) {
            by_status.entry(code.status().as_u16().to_string()).or_default().push(*code);
        }
        let responses = by_status.into_iter();
        responses.map(|(status, codes)| (status, RefOr::T(response(&codes)))).collect()
    }
}

/// The response of one status, which its codes share.
fn response(codes: &[Code]) -> Response {
    let descriptions: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.name(), explanation(*code))).collect();
    let examples = codes.iter().map(|code| {
        let example = ExampleBuilder::new().summary(code.title()).value(Some(example(*code)));
        (code.name(), example.build())
    });
    let content = Content::builder()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples);
    let mut response = Response::new(descriptions.join("\n\n"));
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
