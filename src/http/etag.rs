//! Conditional requests: `ETag`, `If-None-Match`, `If-Match` (RFC 9110, sections 8.8.3 and 13.1).
use axum::{
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{self, InvalidHeaderValue},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;

/// `response` with its entity tag, or 304 when the client has this version already. `etag` is quoted.
pub fn conditional(
    headers: &HeaderMap,
    etag: impl Into<Bytes>,
    response: impl IntoResponse,
) -> Result<Response, InvalidHeaderValue> {
    // Shares the bytes.
    let value = HeaderValue::from_maybe_shared(etag.into())?;
    let is_known = value.to_str().is_ok_and(|etag| none_match(headers, etag));
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { response.into_response() };
    response.headers_mut().insert(header::ETAG, value);
    Ok(response)
}

/// Whether the client has this version already.
pub fn none_match(headers: &HeaderMap, etag: &str) -> bool {
    names(headers, &header::IF_NONE_MATCH, etag)
}

/// Whether the request may change this version: `If-Match` names it, or is absent. `W/` does not matter
/// here, as the tags of jobs are weak (their views are not kept byte for byte) and yet name versions
/// exactly.
pub fn if_match(headers: &HeaderMap, etag: &str) -> bool {
    !headers.contains_key(header::IF_MATCH) || names(headers, &header::IF_MATCH, etag)
}

fn names(headers: &HeaderMap, name: &HeaderName, etag: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|tag| matches!(tag.trim(), "*") || strong(tag) == strong(etag))
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

/// Ignores `W/`.
fn strong(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}
