//! `POST /webhooks/{token}`.
use axum::{
    Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{
    WebhookState,
    body::{self, ReadError},
};
use crate::{
    deliveries::{Delivery, Outcome},
    jobs::{self, Attempt, CompletedVia, Token},
    outcome,
    provider::wire,
};

/// Headers worth keeping with a delivery; none of them is a secret.
const KEPT_HEADERS: &[&str] =
    &["content-type", "content-encoding", "content-length", "user-agent", wire::REQUEST_ID];
/// Longest `Validation-Token` that is echoed.
const MAX_VALIDATION_TOKEN: usize = 255;

pub fn router(state: WebhookState) -> Router {
    Router::new()
        .route("/webhooks/{token}", post(receive))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(state)
}

/// Takes one delivery. Malformed, unknown and expired tokens look the same from outside.
async fn receive(
    State(state): State<WebhookState>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = token.ok().and_then(|Path(token)| Token::parse(&token));
    let Some(token) = token else { return unknown() };
    let attempt = match jobs::matching_attempt(&state.db, &token).await {
        Ok(Some(attempt)) => attempt,
        Ok(None) => return unknown(),
        Err(error) => return not_stored(&error),
    };
    tracing::Span::current().record("job_id", tracing::field::display(token.job_id));
    let bytes = match body::read(body, state.limits).await {
        Ok(bytes) => bytes,
        Err(ReadError::TooLarge) => {
            note_outcome("too_large");
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        Err(ReadError::Lost) => return StatusCode::BAD_REQUEST.into_response(),
    };
    match store(&state, &token, &attempt, &headers, bytes).await {
        Ok(Some(outcome)) => {
            note_outcome(outcome.name());
            acknowledged(&headers)
        }
        Ok(None) => unknown(),
        Err(error) => not_stored(&error),
    }
}

/// Understands the body, then commits everything that follows from it in one transaction.
async fn store(
    state: &WebhookState,
    token: &Token,
    attempt: &Attempt,
    headers: &HeaderMap,
    bytes: Bytes,
) -> sqlx::Result<Option<Outcome>> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let reading = body::understand(bytes.clone(), encoding, state.limits).await;
    let delivery = Delivery {
        job_id: token.job_id,
        attempt: attempt.number,
        via: CompletedVia::Webhook,
        headers: &kept(headers),
        body: &bytes,
        body_sha: Sha256::digest(&bytes).into(),
    };
    let mut tx = state.db.begin().await?;
    let expected = attempt.provider_job_id.as_deref();
    let outcome = outcome::apply(&mut tx, &delivery, expected, &reading).await?;
    tx.commit().await?;
    Ok(outcome)
}

fn kept(headers: &HeaderMap) -> Map<String, Value> {
    let pairs = KEPT_HEADERS.iter().filter_map(|name| {
        let value = String::from_utf8_lossy(headers.get(*name)?.as_bytes()).into_owned();
        Some(((*name).to_owned(), Value::String(value)))
    });
    pairs.collect()
}

/// 200 and no more than the provider's limit of 1024 bytes; a subscription's handshake is answered
/// by the way, as RingCentral's webhook guide asks, without letting go of the body.
fn acknowledged(headers: &HeaderMap) -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (StatusCode::OK, kind, "{}").into_response();
    let token = headers.get(wire::VALIDATION_TOKEN).filter(|value| {
        value.len() <= MAX_VALIDATION_TOKEN
            && value.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte))
    });
    if let Some(token) = token {
        response.headers_mut().insert(wire::VALIDATION_TOKEN, token.clone());
    }
    response
}

/// What became of the delivery, for the log line of the request.
fn note_outcome(name: &str) {
    tracing::Span::current().record("outcome", name);
}

fn unknown() -> Response {
    note_outcome("unknown_token");
    StatusCode::NOT_FOUND.into_response()
}

/// The provider will deliver again; nothing was kept.
fn not_stored(error: &sqlx::Error) -> Response {
    note_outcome("store_failed");
    tracing::error!(error = error as &dyn std::error::Error, "delivery not stored");
    let later = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
    (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
}
