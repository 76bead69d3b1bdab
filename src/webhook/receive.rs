//! `POST /webhooks/{token}`.
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{ConnectInfo, Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Map, Value};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use super::{
    body::{self, Body as Delivered, Limits, ReadError},
    ingest::{Answer, Item},
    memory::Memory,
    strangers::Strangers,
};
use crate::{
    deliveries::Outcome,
    drift::Tally,
    jobs::{self, Token},
    outcome::Understood,
    provider::wire,
};

/// Headers worth keeping with a delivery; none of them is a secret.
const KEPT_HEADERS: &[&str] =
    &["content-type", "content-encoding", "content-length", "user-agent", wire::REQUEST_ID];
/// Longest `Validation-Token` that is echoed.
const MAX_VALIDATION_TOKEN: usize = 255;
/// A body announced to be this small is read before its token is looked up with its batch; a larger
/// one must show a good token first.
const UNPROVEN_BYTES: u64 = 64 * 1024;

/// What the receiver needs.
#[derive(Debug, Clone)]
pub struct WebhookState {
    pub db: PgPool,
    pub limits: Limits,
    /// Longest time from the head of a delivery to the end of its body: who is slower is cut off.
    pub patience: Duration,
    pub memory: Memory,
    pub queue: mpsc::Sender<Item>,
    pub strangers: Arc<Strangers>,
    pub drift: Tally,
}

pub fn router(state: WebhookState) -> Router {
    Router::new()
        .route("/webhooks/{token}", post(receive))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(state)
}

/// Takes one delivery. Malformed, unknown and expired tokens look the same from outside.
async fn receive(
    State(state): State<WebhookState>,
    sender: Option<Extension<ConnectInfo<SocketAddr>>>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // Only tests have no sender.
    let sender = sender.map_or(Ipv6Addr::UNSPECIFIED.into(), |Extension(sender)| sender.0.ip());
    let token = token.ok().and_then(|Path(token)| Token::parse(&token));
    let Some(token) = token else { return unknown(&state, sender) };
    tracing::Span::current().record("job_id", tracing::field::display(token.job_id));
    let is_suspect = state.strangers.is_flooding(sender);
    if is_suspect || !is_small(&headers) {
        match is_known(&state, &token, is_suspect).await {
            Ok(true) => {}
            Ok(false) => return unknown(&state, sender),
            Err(error) => return not_stored(&error),
        }
    }
    let mut body = match whole(body, &state).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let understood = body::understand(&mut body, encoding, state.limits, &state.memory).await;
    let Ok(Understood { reading, drift }) = understood else { return busy() };
    let job_id = token.job_id;
    let (answer, answered) = oneshot::channel();
    let item = Item { token, headers: kept(&headers), body, reading, answer };
    if state.queue.try_send(item).is_err() {
        return busy();
    }
    match answered.await {
        Ok(Answer::Kept(outcome)) => {
            note_outcome(outcome.name());
            if outcome != Outcome::Duplicate {
                state.drift.note(job_id, drift);
            }
            acknowledged(&headers)
        }
        Ok(Answer::UnknownToken) => unknown(&state, sender),
        Ok(Answer::NotStored) | Err(_) => {
            note_outcome("store_failed");
            later()
        }
    }
}

/// The body, or the answer to a sender whose body cannot be had.
async fn whole(body: Body, state: &WebhookState) -> Result<Delivered, Response> {
    let read = body::read(body, state.limits, &state.memory);
    match tokio::time::timeout(state.patience, read).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(ReadError::TooLarge)) => {
            note_outcome("too_large");
            Err(StatusCode::PAYLOAD_TOO_LARGE.into_response())
        }
        Ok(Err(ReadError::NoRoom)) => Err(busy()),
        Ok(Err(ReadError::Lost)) => Err(StatusCode::BAD_REQUEST.into_response()),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into_response()),
    }
}

async fn is_known(state: &WebhookState, token: &Token, is_suspect: bool) -> sqlx::Result<bool> {
    let _turn = if is_suspect { state.strangers.turn().await } else { None };
    let found = jobs::matching_attempts(&state.db, &[token]).await?;
    Ok(matches!(*found, [Some(_)]))
}

fn is_small(headers: &HeaderMap) -> bool {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    announced.and_then(|text| text.parse().ok()).is_some_and(|bytes: u64| bytes <= UNPROVEN_BYTES)
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

fn unknown(state: &WebhookState, sender: IpAddr) -> Response {
    note_outcome("unknown_token");
    if state.strangers.is_one_too_many(sender) {
        let later = [(header::RETRY_AFTER, HeaderValue::from_static("60"))];
        return (StatusCode::TOO_MANY_REQUESTS, later).into_response();
    }
    StatusCode::NOT_FOUND.into_response()
}

fn busy() -> Response {
    note_outcome("store_failed");
    tracing::warn!("no room for another delivery");
    later()
}

fn not_stored(error: &sqlx::Error) -> Response {
    note_outcome("store_failed");
    tracing::error!(error = error as &dyn std::error::Error, "delivery not stored");
    later()
}

/// The provider will deliver again; nothing was kept.
fn later() -> Response {
    let later = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
    (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
}
