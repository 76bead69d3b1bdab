//! The error answers, as problem documents (RFC 9457).
use std::{any::Any, error::Error as StdError};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Code, Kind,
    faults::{Fault, Faults, shortened},
    serve::HostFault,
};
use crate::db;

/// Most bytes of a detail: those of several faults together are long.
const MAX_DETAIL: usize = 2000;

/// Everything an endpoint may answer other than success.
///
/// A variant is a promise to callers: its [`Code`] never changes once released.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{0}")]
    MalformedBody(String),
    #[error("{}", listed(.0))]
    InvalidParameters(Faults),
    #[error("this cursor belongs to another listing; start again without it")]
    CursorMismatch,
    #[error("the request has {} fault(s); see errors", .0.count())]
    ValidationFailed(Faults),
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
    #[error("none of the types in Accept is to be had; there are {0}")]
    NotAcceptable(String),
    #[error("it has changed: its ETag is now {0}")]
    PreconditionFailed(String),
    #[error("send the body as Content-Type: application/json")]
    NotJson,
    #[error("the body is larger than api.max_body allows")]
    BodyTooLarge,
    #[error(
        "the body holds more values (texts, numbers, lists, objects) than api.max_values allows: {0}"
    )]
    TooManyValues(usize),
    #[error("the body was not complete within api.request_timeout")]
    BodyTooSlow,
    #[error("this Idempotency-Key was used before with another body")]
    IdempotencyKeyReused,
    #[error("the answer took longer than api.request_timeout")]
    TookTooLong,
    #[error("the database cannot be reached, is saturated, or takes no writes")]
    Unavailable(#[source] sqlx::Error),
    #[error("this process has as many {} in hand as {} allows", .0.names().0, .0.names().1)]
    TooMany(Kind),
    #[error("the bodies of other requests take all of api.memory")]
    OverBudget,
    #[error("this caller has as many {} in hand as {}_per_caller allows", .0.names().0, .0.names().1)]
    CallerLimit(Kind),
    #[error("the bodies of this caller's other requests take all of api.memory_per_caller")]
    CallerMemory,
    #[error("unexpected failure")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

/// `limit: must be …; sort: must be …`
fn listed(faults: &Faults) -> String {
    let one = |fault: &Fault| {
        let name = fault.parameter.as_deref().unwrap_or_default();
        format!("{name}: {}", fault.detail)
    };
    faults.listed().iter().map(one).collect::<Vec<_>>().join("; ")
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
    pub code: Code,
    /// As in the `X-Request-Id` header; name it when you report the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Every fault of the request, where the problem is the request: the first 100, or of an item in a
    /// batch the first 10.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub errors: Vec<Fault>,
    /// How many faults there are beyond those in `errors`; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub more_errors: Option<usize>,
}

impl ApiError {
    /// One fault of a query parameter, a header, or the `path`.
    pub fn invalid_parameter(
        name: &'static str,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::InvalidParameters(Fault::of_parameter(name, code, detail).into())
    }

    pub fn code(&self) -> Code {
        match self {
            Self::MalformedBody(_) => Code::MalformedBody,
            Self::InvalidParameters(_) => Code::InvalidParameter,
            Self::CursorMismatch => Code::CursorMismatch,
            Self::ValidationFailed(_) => Code::ValidationFailed,
            Self::Unauthorized => Code::Unauthorized,
            Self::MissingScope(_) => Code::MissingScope,
            Self::JobNotFound(_) => Code::JobNotFound,
            Self::DeliveryNotFound(_) => Code::DeliveryNotFound,
            Self::ResultNotAvailable(_) => Code::ResultNotAvailable,
            Self::StateConflict(..) => Code::StateConflict,
            Self::NoSuchRoute => Code::NoSuchRoute,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::NotAcceptable(_) => Code::NotAcceptable,
            Self::PreconditionFailed(_) => Code::PreconditionFailed,
            Self::NotJson => Code::NotJson,
            Self::BodyTooLarge | Self::TooManyValues(_) => Code::BodyTooLarge,
            Self::BodyTooSlow => Code::BodyTooSlow,
            Self::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Self::TookTooLong => Code::TookTooLong,
            Self::Unavailable(_) => Code::Unavailable,
            Self::TooMany(Kind::Request) | Self::OverBudget => Code::Busy,
            Self::TooMany(Kind::Wait) => Code::TooManyWaits,
            Self::TooMany(Kind::Stream) => Code::TooManyStreams,
            Self::TooMany(Kind::Export) => Code::TooManyExports,
            Self::CallerLimit(_) | Self::CallerMemory => Code::CallerLimit,
            Self::Internal(_) => Code::Internal,
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
        let code = error.code();
        let status = code.status();
        let internal = status == StatusCode::INTERNAL_SERVER_ERROR;
        let detail = (!internal).then(|| shortened(error.to_string(), MAX_DETAIL));
        let faults = match error {
            ApiError::ValidationFailed(faults) | ApiError::InvalidParameters(faults) => faults,
            _ => Faults::default(),
        };
        Self {
            kind: format!("/docs/errors#{}", code.name()),
            title: code.title(),
            status: status.as_u16(),
            detail,
            instance: None,
            code,
            request_id: None,
            more_errors: Some(faults.more()).filter(|more| *more > 0),
            errors: faults.into_listed(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.code();
        let status = code.status();
        let (problem, error) = (code.name(), &self as &dyn StdError);
        match self {
            // A limit that does its work is no failure of ours.
            Self::TooMany(_) | Self::OverBudget => tracing::warn!(problem, error, "turned away"),
            _ if status.is_server_error() => tracing::error!(problem, error, "request failed"),
            _ => {}
        }
        let mut response = (status, Json(())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            // What is left of the body would be taken for the next request.
            StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
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

impl From<HostFault> for ApiError {
    fn from(fault: HostFault) -> Self {
        let (code, detail) = match fault {
            HostFault::Missing => ("missing", "HTTP/1.1 asks for a Host header"),
            HostFault::Repeated => ("repeated", "must not be repeated"),
            HostFault::NoHost => ("format", "is not a host with or without a port"),
        };
        Self::invalid_parameter("Host", code, detail)
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
