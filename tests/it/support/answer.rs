//! An HTTP response, read completely, with helpers for the tests.
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::declared::Operation;

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn of(router: &Router, request: Request<Body>) -> impl Future<Output = Self> {
        let operation = Operation::of(&request);
        // Boxed, since tests send many requests at once and the futures are large.
        let response = Box::pin(router.clone().oneshot(request));
        async move {
            let (parts, body) = response.await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let answer = Self { status: parts.status, headers: parts.headers, body };
            let kind = answer.headers.get("content-type");
            if let Some(operation) = operation
                && kind.is_some_and(|kind| kind == "application/problem+json")
            {
                operation.check(answer.json()["code"].as_str().unwrap());
            }
            answer
        }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().unwrap()
    }

    /// Member `id` of the body.
    #[track_caller]
    pub fn id(&self) -> Uuid {
        self.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// The body of a problem with this status and code, checked against the rules for all problems.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("/docs/errors#{code}"));
        assert_eq!(body["requestId"], self.header("x-request-id"));
        body
    }

    /// Pointers and codes of the errors of a rejected request.
    #[track_caller]
    pub fn faults(&self) -> Vec<String> {
        let body = self.problem(422, "validation-failed");
        let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
        let faults = body["errors"].as_array().unwrap().iter();
        faults.map(|fault| format!("{} {}", text(fault, "pointer"), text(fault, "code"))).collect()
    }
}
