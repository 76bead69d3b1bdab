//! `POST /v1/endpoints/{id}/pause`, `/resume` and `/rotate`.
use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    OwnedEndpoint,
    body::{self, Draft, RotateSecret},
    views::{EndpointView, EndpointWithSecret},
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState,
        problems::{OF_BODY, OF_ENDPOINT, Problems},
    },
    egress::Secret,
    endpoints,
    http::NoParameters,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(pause)).routes(routes!(resume)).routes(routes!(rotate))
}

/// Pause an endpoint.
///
/// Nothing is sent to it until it is resumed.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/pause", operation_id = "pauseEndpoint", tag = "notifications",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = EndpointView), Problems<OF_ENDPOINT>),
    security(("key" = ["notify:write"])),
)]
async fn pause(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<EndpointView>, ApiError> {
    let applied = endpoints::pause(&state.db, asked.caller.id, asked.id).await?;
    Ok(Json(asked.changed(applied, &state.db).await?.into()))
}

/// Resume an endpoint that was paused, or disabled by a 410.
///
/// Its count of failures starts again.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/resume", operation_id = "resumeEndpoint", tag = "notifications",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = EndpointView), Problems<OF_ENDPOINT>),
    security(("key" = ["notify:write"])),
)]
async fn resume(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<EndpointView>, ApiError> {
    let applied = endpoints::resume(&state.db, asked.caller.id, asked.id).await?;
    Ok(Json(asked.changed(applied, &state.db).await?.into()))
}

/// Replace the signing secret.
///
/// The response has the new secret, this once. For a while, messages are signed with both secrets, so that receivers can
/// be changed one after the other. At most two secrets sign: rotating again ends the older one.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/rotate", operation_id = "rotateEndpointSecret", tag = "notifications",
    params(("id" = Uuid, Path)),
    request_body = Option<RotateSecret>,
    responses((status = OK, body = EndpointWithSecret), Problems<{ OF_ENDPOINT | OF_BODY }>),
    security(("key" = ["notify:write"])),
)]
async fn rotate(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    _query: ApiQuery<NoParameters>,
    body: Option<ApiJson>,
) -> Result<Response, ApiError> {
    let body = body.map_or(Value::Null, |body| body.value);
    let body = if body.is_null() { json!({}) } else { body };
    let guard = state.sender.guard();
    let draft = Draft::read(&body, body::ROTATE, &[], guard, &asked.caller).await?;
    let secret = draft.secret.unwrap_or_else(Secret::generate);
    let is_kept = draft.keep_previous.unwrap_or(true);
    let overlap = if is_kept { state.notify.rotation_overlap } else { Duration::ZERO };
    let (seal, caller) = (&state.seal, asked.caller.id);
    let applied = endpoints::rotate(&state.db, seal, caller, asked.id, &secret, overlap).await?;
    let endpoint = asked.changed(applied, &state.db).await?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))];
    Ok((no_store, Json(EndpointWithSecret::new(endpoint.into(), &secret))).into_response())
}
