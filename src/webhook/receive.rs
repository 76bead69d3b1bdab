//! `POST /webhooks/{token}`.
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body as Incoming,
    extract::{ConnectInfo, Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Map, Value};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};
use tracing::Span;

use super::{
    body::{self, Body, BodyReader, Limits, ReadError},
    holder_limit::HolderLimit,
    ingest::{IngestResult, Item},
    media::{MediaFetches, fetch},
    memory::MemoryBudget,
    tokens::{NoAnswer, Tokens},
    unknown_tokens::UnknownTokenLimiter,
    unproven::{Opened, Unproven},
};
use crate::{
    deliveries::Outcome,
    drift::DriftCounter,
    http::Quiet,
    jobs::{MediaUrl, Token, WebhookUrl},
    metrics::Metrics,
    outcome::ParsedDelivery,
    provider::wire,
    public_hook::SelfTestKey,
    telemetry,
};

/// Headers stored with a delivery; none of them is a secret.
const KEPT_HEADERS: &[&str] =
    &["content-type", "content-encoding", "content-length", "user-agent", wire::REQUEST_ID];
/// Longest `Validation-Token` that is echoed.
const MAX_VALIDATION_TOKEN: usize = 255;
/// Self-tests that ask the database at the same time; there is one at a time.
const MOST_SELF_TESTS: usize = 2;

/// Dependencies of the receiver, shared by all requests.
#[derive(Debug)]
pub struct WebhookState {
    pub limits: Limits,
    /// Longest time from the head of a delivery to the end of its body; slower senders are cut off.
    pub read_timeout: Duration,
    /// For bodies with verified tokens; all others use `unproven`.
    pub memory: MemoryBudget,
    pub unproven: Unproven,
    /// Bodies in `memory` by token, so that a single leaked token leaves room for all others.
    pub of_token: Arc<HolderLimit<[u8; 32]>>,
    pub tokens: Tokens,
    pub queue: mpsc::Sender<Item>,
    pub unknown_tokens: UnknownTokenLimiter,
    pub drift: DriftCounter,
    pub self_tests: SelfTests,
    pub media: MediaFetches,
    pub metrics: Metrics,
}

/// Recognizes deliveries that only test the way to this listener.
#[derive(Debug)]
pub struct SelfTests {
    key: SelfTestKey,
    /// Limits what the holder of such a token can do with it.
    places: Semaphore,
}

impl SelfTests {
    pub fn new(key: SelfTestKey) -> Self {
        Self { key, places: Semaphore::new(MOST_SELF_TESTS) }
    }
}

pub(super) type Sender = Option<Extension<ConnectInfo<SocketAddr>>>;

pub fn router(state: WebhookState) -> Router {
    let state = Arc::new(state);
    Router::new()
        .route(WebhookUrl::ROUTE, post(receive))
        .route(MediaUrl::ROUTE, get(fetch))
        .fallback(async |state, sender| stray(state, sender, StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async |state, sender| {
            stray(state, sender, StatusCode::METHOD_NOT_ALLOWED)
        })
        .with_state(state)
}

/// Receives one delivery. Malformed, unknown and expired tokens are indistinguishable from outside.
async fn receive(
    State(state): State<Arc<WebhookState>>,
    sender: Sender,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Incoming,
) -> Response {
    let arrived = Instant::now();
    let sender = address(sender);
    let token = token.ok().and_then(|Path(token)| Token::parse(&token));
    let Some(token) = token else { return unknown(&state, sender) };
    if let Some(expiry) = state.self_tests.key.expiry(&token) {
        return self_test(&state, expiry, sender, &headers).await;
    }
    Span::current().record("job_id", tracing::field::display(token.job_id));
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let encoding = encoding.as_deref();
    let reader = BodyReader::new(body);
    let opened = if state.unknown_tokens.is_flooding(sender) {
        Opened::Partly(reader, None)
    } else {
        match state.unproven.open(sender, encoding, reader, state.limits).await {
            Ok(opened) => opened,
            Err(error) => return refused(&state, &error),
        }
    };
    let (body, ParsedDelivery { reading, drift, took }) = match opened {
        Opened::Whole(body, understood) => (body, understood),
        Opened::Partly(reader, _share) => match state.tokens.is_known(&token).await {
            Ok(true) => match proven(&state, &token, reader, encoding).await {
                Ok(whole) => whole,
                Err(error) => return refused(&state, &error),
            },
            Ok(false) => return unknown(&state, sender),
            Err(NoAnswer) => return not_stored(&state),
        },
    };
    let (job_id, bytes) = (token.job_id, body.bytes.len());
    let (answer, answered) = oneshot::channel();
    let span = Span::current();
    let item = Item { token, headers: kept(&headers), body, arrived, reading, span, answer };
    if state.queue.try_send(item).is_err() {
        return busy(&state);
    }
    match answered.await {
        Ok(IngestResult::Kept(outcome)) => {
            note_outcome(outcome.name());
            state.metrics.delivered(arrived.elapsed(), bytes);
            state.metrics.parsed(took);
            if outcome != Outcome::Duplicate {
                state.drift.note(job_id, drift);
            }
            acknowledged(&headers)
        }
        Ok(IngestResult::UnknownToken) => unknown(&state, sender),
        Ok(IngestResult::NotStored) | Err(_) => not_stored(&state),
    }
}

/// Responds as to a delivery, but stores nothing and does not read the body. Asks the database for the time, because a
/// delivery would need it as well.
async fn self_test(
    state: &WebhookState,
    expiry: u64,
    sender: IpAddr,
    headers: &HeaderMap,
) -> Response {
    let Ok(_place) = state.self_tests.places.try_acquire() else { return later() };
    match state.self_tests.key.is_current(expiry).await {
        Ok(true) => {
            note_outcome("self_test");
            acknowledged(headers)
        }
        Ok(false) => unknown(state, sender),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot check the token of a self-test");
            later()
        }
    }
}

/// Reads and parses the body of a sender with a verified token.
async fn proven(
    state: &WebhookState,
    token: &Token,
    reader: BodyReader,
    encoding: Option<&str>,
) -> Result<(Body, ParsedDelivery), ReadError> {
    let read = async {
        let share = state.of_token.turn(token.sha()).await;
        Ok::<_, ReadError>(reader.read_all(state.limits.raw, &state.memory).await?.within(share))
    };
    let read = tokio::time::timeout(state.read_timeout, read).await;
    let mut body = read.map_err(|_| ReadError::TooSlow)??;
    let understood = body::understand(&mut body, encoding, state.limits, &state.memory).await?;
    Ok((body, understood))
}

/// The response to a sender whose body could not be read.
fn refused(state: &WebhookState, error: &ReadError) -> Response {
    match error {
        ReadError::TooLarge => {
            count_outcome(state, "too_large");
            StatusCode::PAYLOAD_TOO_LARGE.into_response()
        }
        ReadError::OverBudget => busy(state),
        ReadError::Lost => StatusCode::BAD_REQUEST.into_response(),
        ReadError::TooSlow => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

fn kept(headers: &HeaderMap) -> Map<String, Value> {
    let pairs = KEPT_HEADERS.iter().filter_map(|name| {
        let value = String::from_utf8_lossy(headers.get(*name)?.as_bytes()).into_owned();
        Some(((*name).to_owned(), Value::String(value)))
    });
    pairs.collect()
}

/// 200 within the provider's limit of 1024 bytes. It also echoes the validation token of a subscription's handshake,
/// as RingCentral's webhook guide requires; the body is processed all the same.
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

/// Records the outcome of the delivery for the log line of the request.
pub(super) fn note_outcome(name: &str) {
    Span::current().record("outcome", name);
}

/// The same for an outcome that no commit counts.
fn count_outcome(state: &WebhookState, name: &'static str) {
    note_outcome(name);
    state.metrics.callback(name);
}

/// Requests that are not deliveries count as well.
fn stray(State(state): State<Arc<WebhookState>>, sender: Sender, status: StatusCode) -> Response {
    unknown_token(&state, address(sender), status)
}

fn unknown(state: &WebhookState, sender: IpAddr) -> Response {
    count_outcome(state, "unknown_token");
    unknown_token(state, sender, StatusCode::NOT_FOUND)
}

pub(super) fn unknown_token(state: &WebhookState, sender: IpAddr, status: StatusCode) -> Response {
    // Anyone can send these, and they would crowd out the spans of jobs.
    telemetry::leave_out();
    if !state.unknown_tokens.is_one_too_many(sender) {
        return status.into_response();
    }
    let later = [(header::RETRY_AFTER, HeaderValue::from_static("60"))];
    let mut response = (StatusCode::TOO_MANY_REQUESTS, later).into_response();
    response.extensions_mut().insert(Quiet);
    response
}

/// Only tests have no sender.
pub(super) fn address(sender: Sender) -> IpAddr {
    sender.map_or(Ipv6Addr::UNSPECIFIED.into(), |Extension(sender)| sender.0.ip())
}

fn busy(state: &WebhookState) -> Response {
    tracing::warn!("no memory or queue slot for another delivery");
    not_stored(state)
}

fn not_stored(state: &WebhookState) -> Response {
    count_outcome(state, "store_failed");
    later()
}

/// The provider will deliver again; nothing was stored.
fn later() -> Response {
    let later = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
    (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
}
