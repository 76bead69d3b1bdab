//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): the same key and body get the
//! stored response for 24 hours; the key, the job and the response commit together.
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use sha2::{Digest as _, Sha256};

use super::ApiError;
use crate::{
    callers::Caller,
    jobs::{
        Change,
        idempotency::{self, Answered, IdempotencyKey, Reserved},
    },
};

pub enum Replay {
    /// The first request with this key.
    First,
    /// The response to the first request.
    Stored { status: StatusCode, location: String, body: String },
}

/// The key of a request, if it has one; quoted and bare forms are equivalent.
pub fn key(
    headers: &HeaderMap,
    caller: &Caller,
    route: &'static str,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let text = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').unwrap_or_default(),
        None => text,
    };
    let is_visible = |byte: u8| byte.is_ascii_graphic();
    if !(1..=255).contains(&text.len()) || !text.bytes().all(is_visible) {
        let detail = "must have 1 to 255 visible ASCII characters";
        return Err(ApiError::invalid_parameter("Idempotency-Key", "length", detail));
    }
    Ok(Some(IdempotencyKey {
        caller_id: caller.id,
        route,
        text: text.to_owned(),
        fingerprint: Sha256::digest(body).into(),
    }))
}

/// Reserves the key for this transaction; concurrent requests with the same key wait here.
pub async fn reserve(tx: &mut Change<'_>, key: &IdempotencyKey) -> Result<Replay, ApiError> {
    match idempotency::reserve(tx, key).await? {
        Reserved::First => {
            tx.tally().idempotency("new");
            Ok(Replay::First)
        }
        Reserved::Before { fingerprint, .. } if fingerprint != key.fingerprint => {
            tx.metrics().idempotency("reused");
            Err(ApiError::IdempotencyKeyReused)
        }
        Reserved::Before { status, location, body, .. } => {
            tx.metrics().idempotency("replayed");
            let status = u16::try_from(status).ok().and_then(|it| StatusCode::from_u16(it).ok());
            Ok(Replay::Stored { status: status.unwrap_or(StatusCode::ACCEPTED), location, body })
        }
    }
}

/// Marks a stored response as replayed.
pub fn replayed(mut response: Response) -> Response {
    let replayed = HeaderValue::from_static("true");
    response.headers_mut().insert("idempotent-replayed", replayed);
    response
}

pub async fn record(
    tx: &mut Change<'_>,
    key: &IdempotencyKey,
    status: StatusCode,
    location: &str,
    body: &str,
) -> Result<(), ApiError> {
    let status = i16::try_from(status.as_u16()).unwrap_or_default();
    Ok(idempotency::record(tx, key, status, location, body).await?)
}

/// The same for many first requests whose keys are not reserved. Returns the indexes of those whose keys are taken: the
/// transaction must then be rolled back.
pub async fn record_all(
    tx: &mut Change<'_>,
    answered: &[Answered<'_>],
) -> sqlx::Result<Vec<usize>> {
    let taken = idempotency::record_all(tx, answered).await?;
    for _ in answered {
        tx.tally().idempotency("new");
    }
    Ok(taken)
}
