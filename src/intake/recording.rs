//! The URL of a recording: whether the provider will be able to fetch it when its turn comes.
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use url::Url;

use crate::{
    api::{ApiError, ApiState, UrlExpiry},
    callers::CallerId,
    http::{Fault, Faults},
    jobs::{self, QueuePlace},
    provider::gate,
};

/// When the URL in a valid request expires; `None` if it shows no expiry, or none that can be read.
///
/// # Errors
/// When it is on the provider's media host without https.
pub fn expiry(
    state: &ApiState,
    request: &Map<String, Value>,
) -> Result<Option<DateTime<Utc>>, ApiError> {
    request.get("contentUri").and_then(Value::as_str).map_or(Ok(None), |uri| expiry_of(state, uri))
}

/// The same for the URL alone.
pub fn expiry_of(state: &ApiState, uri: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Ok(url) = Url::parse(uri) else { return Ok(None) };
    if !state.media_hosts.have(&url) {
        return Ok(jobs::url_expiry(&url));
    }
    if url.scheme() == "https" {
        return Ok(None);
    }
    let detail = "must be https: it gets the provider's access token when it is submitted";
    let fault = Fault::at("#/contentUri", "scheme", detail);
    Err(ApiError::ValidationFailed(Faults::from(fault)))
}

/// Checks that a job that this caller would queue now is submitted well before its URL expires.
///
/// # Errors
/// When it is not.
pub async fn in_time(
    state: &ApiState,
    db: &mut PgConnection,
    caller_id: CallerId,
    expires_at: DateTime<Utc>,
) -> Result<(), ApiError> {
    let place = jobs::place_of_next(&mut *db, caller_id).await?;
    in_time_at(state, db, place, expires_at).await
}

/// The same for a job at this place in the queue.
pub async fn in_time_at(
    state: &ApiState,
    db: &mut PgConnection,
    place: QueuePlace,
    expires_at: DateTime<Utc>,
) -> Result<(), ApiError> {
    let forecast = gate::forecast(&mut *db, &state.gates, place.position).await?.at;
    let eta = place.quota_resets_at.map_or(forecast, |at| at.max(forecast));
    let margin = TimeDelta::from_std(state.url_margin).unwrap_or(TimeDelta::MAX);
    let is_late = eta.checked_add_signed(margin).is_none_or(|needed| expires_at < needed);
    if is_late {
        return Err(ApiError::ExpiresTooSoon(UrlExpiry { expires_at, eta, margin }));
    }
    Ok(())
}
