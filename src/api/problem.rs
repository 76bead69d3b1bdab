//! The problem document (RFC 9457): what a failed request gets as its body.
use std::sync::Arc;

use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiError, Code};
use crate::http::{Fault, Faults, shortened};

/// Maximum bytes of a detail: one that lists several faults is long.
const MAX_DETAIL: usize = 2000;
/// Maximum bytes of a request's path that its problem repeats.
const MAX_INSTANCE: usize = 256;

/// Body of every response that is not a success (RFC 9457, `application/problem+json`).
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
    /// What happened this time, and what to do about it; absent for internal errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable: match on this, not on `title` or `detail`.
    pub code: Code,
    /// As in the `X-Request-Id` header; quote it when you report a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What is wrong with the request: every fault up to the first 100, or 10 for an item of a batch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub errors: Vec<Fault>,
    /// How many more faults there are than in `errors`; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub more_errors: Option<usize>,
    /// When what was requested was deleted; only with `result-expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<DateTime<Utc>>,
}

impl From<ApiError> for Problem {
    /// Without `instance` and `requestId`, which `completed` adds.
    fn from(error: ApiError) -> Self {
        let code = error.code();
        let status = code.status();
        let internal = status == StatusCode::INTERNAL_SERVER_ERROR;
        let detail = (!internal).then(|| shortened(error.to_string(), MAX_DETAIL));
        let expired_at = match &error {
            ApiError::ResultExpired(at) => Some(*at),
            _ => None,
        };
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
            expired_at,
        }
    }
}

/// Writes the body of a problem, once the request it belongs to is known.
pub fn completed(mut response: Response, uri: &Uri, request_id: &str) -> Response {
    let problem = response.extensions_mut().remove::<Arc<Problem>>();
    let Some(mut problem) = problem.and_then(Arc::into_inner) else { return response };
    problem.instance = Some(shortened(uri.path().to_owned(), MAX_INSTANCE));
    problem.request_id = Some(request_id.to_owned());
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    match serde_json::to_vec(&problem) {
        Ok(body) => Response::from_parts(parts, body.into()),
        Err(error) => ApiError::Internal(Box::new(error)).into_response(),
    }
}
