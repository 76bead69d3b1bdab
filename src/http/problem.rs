//! The error answers, as problem documents (RFC 9457).
use std::{any::Any, error::Error as StdError};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::db;

/// Everything an endpoint may answer other than success.
///
/// A variant is a promise to callers: its code never changes once released.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{0}")]
    MalformedBody(String),
    #[error("{}", listed(.0))]
    InvalidParameters(Vec<Fault>),
    #[error("this cursor belongs to another listing; start again without it")]
    CursorMismatch,
    #[error("the request has {} fault(s); see errors", .0.len())]
    ValidationFailed(Vec<Fault>),
    #[error("send an API key made by `aftercall keys create`: Authorization: Bearer ac_…")]
    Unauthorized,
    #[error("the API key lacks the scope {0}; see `aftercall keys create --scope`")]
    MissingScope(&'static str),
    #[error("there is no job {0} for this caller")]
    JobNotFound(String),
    #[error("there is no delivery {0}")]
    DeliveryNotFound(uuid::Uuid),
    #[error("the job is {0}; it has no result")]
    ResultNotAvailable(&'static str),
    #[error("a job that is {1} cannot be asked to {0}")]
    StateConflict(&'static str, &'static str),
    #[error("the API has nothing at this path; see /docs")]
    NoSuchRoute,
    #[error("the path exists, but not for this method; see the Allow header")]
    MethodNotAllowed,
    #[error("send the body as Content-Type: application/json")]
    NotJson,
    #[error("the body is larger than api.max_body allows")]
    BodyTooLarge,
    #[error("this Idempotency-Key was used before with another body")]
    IdempotencyKeyReused,
    #[error("the answer took longer than api.request_timeout")]
    TookTooLong,
    #[error("the database cannot be reached or is saturated")]
    Unavailable(#[source] sqlx::Error),
    #[error("as many exports are running as api.max_exports allows")]
    TooManyExports,
    #[error("unexpected failure")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

/// All problem codes; docs/errors.md has an anchor for each.
pub const CODES: &[&str] = &[
    "malformed-body",
    "invalid-parameter",
    "cursor-mismatch",
    "validation-failed",
    "unauthorized",
    "missing-scope",
    "job-not-found",
    "delivery-not-found",
    "result-not-available",
    "state-conflict",
    "no-such-route",
    "method-not-allowed",
    "not-json",
    "body-too-large",
    "idempotency-key-reused",
    "took-too-long",
    "unavailable",
    "too-many-exports",
    "internal",
];

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer into the body, as a URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#/contentUri")]
    pub pointer: Option<String>,
    /// Name of the query parameter or header, or `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit")]
    pub parameter: Option<String>,
    /// Stable slug of the rule that is broken.
    #[schema(example = "scheme")]
    pub code: &'static str,
    /// What to do about it.
    #[schema(example = "must be an http or https URL")]
    pub detail: String,
}

impl Fault {
    /// A fault of the body; `pointer` starts with `#`.
    pub fn at(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, code, detail: detail.into() }
    }

    /// A fault of a query parameter, a header, or the `path`.
    pub fn of_parameter(
        name: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { pointer: None, parameter: Some(name.into()), code, detail: detail.into() }
    }
}

/// `; did you mean X?` when something known is near.
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|known| (strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map(|(_, known)| format!("; did you mean {known}?"))
        .unwrap_or_default()
}

/// `limit: must be …; sort: must be …`
fn listed(faults: &[Fault]) -> String {
    let one = |fault: &Fault| {
        let name = fault.parameter.as_deref().unwrap_or_default();
        format!("{name}: {}", fault.detail)
    };
    faults.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Body of every answer that is no success (RFC 9457, `application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where the problem is explained, relative to the API.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors#validation-failed")]
    pub kind: String,
    pub title: &'static str,
    #[schema(example = 422)]
    pub status: u16,
    /// What happened this time and what to do; absent where it would show internals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable: match on this, not on `title` or `detail`.
    #[schema(example = "validation-failed")]
    pub code: &'static str,
    /// As in the `X-Request-Id` header; name it when you report the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Every fault of the request, where the problem is the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

impl ApiError {
    /// One fault of a query parameter, a header, or the `path`.
    pub fn invalid_parameter(
        name: &'static str,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::InvalidParameters(vec![Fault::of_parameter(name, code, detail)])
    }

    /// Status, code and title of each variant; the only place that knows them.
    fn facts(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedBody(_) => (S::BAD_REQUEST, "malformed-body", "Body is not valid JSON"),
            Self::InvalidParameters(_) => {
                (S::BAD_REQUEST, "invalid-parameter", "Parameter is not valid")
            }
            Self::CursorMismatch => (S::BAD_REQUEST, "cursor-mismatch", "Cursor does not fit"),
            Self::ValidationFailed(_) => {
                (S::UNPROCESSABLE_ENTITY, "validation-failed", "Request is not valid")
            }
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "No valid API key"),
            Self::MissingScope(_) => (S::FORBIDDEN, "missing-scope", "Scope missing"),
            Self::JobNotFound(_) => (S::NOT_FOUND, "job-not-found", "No such job"),
            Self::DeliveryNotFound(_) => (S::NOT_FOUND, "delivery-not-found", "No such delivery"),
            Self::ResultNotAvailable(_) => (S::NOT_FOUND, "result-not-available", "No result yet"),
            Self::StateConflict(..) => (S::CONFLICT, "state-conflict", "Not in this state"),
            Self::NoSuchRoute => (S::NOT_FOUND, "no-such-route", "No such path"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::NotJson => (S::UNSUPPORTED_MEDIA_TYPE, "not-json", "JSON body expected"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large"),
            Self::IdempotencyKeyReused => {
                (S::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused")
            }
            Self::TookTooLong => (S::GATEWAY_TIMEOUT, "took-too-long", "Took too long"),
            Self::Unavailable(_) => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment")
            }
            Self::TooManyExports => {
                (S::SERVICE_UNAVAILABLE, "too-many-exports", "Too many exports at once")
            }
            Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// Turns a caught panic into a 500; the payload goes to the log.
    #[expect(clippy::needless_pass_by_value, reason = "signature asked for by CatchPanicLayer")]
    pub fn from_panic(payload: Box<dyn Any + Send>) -> Response {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("panic without a message");
        Self::Internal(text.into()).into_response()
    }
}

impl From<ApiError> for Problem {
    /// `instance` and `requestId` are left to the layer that knows the request.
    fn from(error: ApiError) -> Self {
        let (status, code, title) = error.facts();
        let internal = status == StatusCode::INTERNAL_SERVER_ERROR;
        let detail = (!internal).then(|| error.to_string());
        let errors = match error {
            ApiError::ValidationFailed(faults) | ApiError::InvalidParameters(faults) => faults,
            _ => Vec::new(),
        };
        Self {
            kind: format!("/docs/errors#{code}"),
            title,
            status: status.as_u16(),
            detail,
            instance: None,
            code,
            request_id: None,
            errors,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, _) = self.facts();
        if status.is_server_error() {
            tracing::error!(problem = code, error = &self as &dyn StdError, "request failed");
        }
        let mut response = (status, Json(())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response.extensions_mut().insert(std::sync::Arc::new(Problem::from(self)));
        response
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed => {
                Self::Unavailable(error)
            }
            error if db::is_unavailable(&error) => Self::Unavailable(error),
            other => Self::Internal(Box::new(other)),
        }
    }
}
