//! `GET /media/{token}`: the provider fetches an uploaded recording.
//!
//! The URL is made for one attempt and is valid while that runs. What is unknown, expired or malformed is the same 404;
//! senders without a valid token are counted as those of deliveries are.
use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::TryStreamExt as _;
use sqlx::PgPool;
use tracing::Span;

use super::{
    receive::{Sender, WebhookState, address, note_outcome, unknown_token},
    tokens::NoAnswer,
};
use crate::{
    config::MediaSettings,
    http::{Download, Exhausted, Pace, Permits, Throttle, hex},
    jobs::Token,
    media::{self, Store},
};

/// What fetching needs, with the limits of all fetches.
#[derive(Debug)]
pub struct MediaFetches {
    db: PgPool,
    store: Option<Store>,
    /// By the hash of the token.
    places: Permits<[u8; 32]>,
    rate_each: u64,
    rate_of_all: Throttle,
    pace: Pace,
}

impl MediaFetches {
    pub fn new(db: PgPool, store: Option<Store>, settings: &MediaSettings) -> Self {
        Self {
            db,
            store,
            places: Permits::new(settings.max_fetches, settings.max_fetches_per_attempt),
            rate_each: settings.egress_rate.as_u64(),
            rate_of_all: Throttle::new(settings.egress_rate_total.as_u64()),
            pace: Pace {
                timeout: settings.timeout,
                bytes_a_second: u32::try_from(settings.min_rate.as_u64()).unwrap_or(u32::MAX),
                longest: settings.max_time,
            },
        }
    }
}

pub async fn fetch(
    State(state): State<Arc<WebhookState>>,
    sender: Sender,
    token: Result<Path<String>, PathRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let fetches = &state.media;
    let token = token.ok().and_then(|Path(token)| Token::parse(&token));
    let unknown = || {
        note(&state, "unknown_token");
        unknown_token(&state, address(sender), StatusCode::NOT_FOUND)
    };
    let (Some(token), Some(store)) = (token, &fetches.store) else { return unknown() };
    let id = match state.tokens.media(&token).await {
        Ok(Some(id)) => id,
        Ok(None) => return unknown(),
        Err(NoAnswer) => return failed(&state),
    };
    Span::current().record("job_id", tracing::field::display(token.job_id));
    // Its removal may have been asked for by hand.
    let found = match media::find(&fetches.db, id).await {
        Ok(Some(found)) => found,
        Ok(None) => return unknown(),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot look up a recording");
            return failed(&state);
        }
    };
    let place = match fetches.places.take(token.sha(), 1) {
        Ok(place) => place,
        Err(Exhausted::All | Exhausted::Holder) => {
            note(&state, "too_many");
            return later();
        }
    };
    note(&state, "served");
    let download = Download {
        length: found.length(),
        etag: &format!("\"{}\"", hex(&found.sha256)),
        content_type: found.file_type().0,
        pace: fetches.pace,
        throttles: vec![Throttle::new(fetches.rate_each), fetches.rate_of_all.clone()],
    };
    let metrics = state.metrics.clone();
    let mut response = download.response(&method, &headers, place, |range| {
        let bytes = store.read(found.caller_id, found.id, range);
        bytes.inspect_err(move |_| metrics.store_failed("read"))
    });
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn note(state: &WebhookState, outcome: &'static str) {
    note_outcome(outcome);
    state.metrics.fetched(outcome);
}

fn failed(state: &WebhookState) -> Response {
    note(state, "store_failed");
    later()
}

fn later() -> Response {
    let later = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
    (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
}
