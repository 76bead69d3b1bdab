//! Conditional answers: `ETag` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1.2).
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::ApiError;

/// `answer` with its entity tag, or 304 when the client has it already. `etag` is quoted.
pub fn conditional(
    headers: &HeaderMap,
    etag: &str,
    answer: impl IntoResponse,
) -> Result<Response, ApiError> {
    let value = HeaderValue::from_str(etag).map_err(|error| ApiError::Internal(error.into()))?;
    let is_known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|tag| matches!(tag.trim(), "*") || strong(tag) == strong(etag));
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { answer.into_response() };
    response.headers_mut().insert(header::ETAG, value);
    Ok(response)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// If-None-Match compares weakly: `W/` does not matter.
fn strong(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}
