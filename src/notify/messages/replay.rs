//! Sends messages again: one of them, those that match a filter, or what an endpoint has missed.
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{list::MessageFilter, views::NotificationView};
use crate::{
    api::{
        ApiError, ApiJson, ApiPath, ApiQuery, ApiState,
        problems::{Code, OF_BODY, OF_ENDPOINT, Problems, codes},
    },
    callers::Caller,
    db,
    endpoints::{Endpoint, EndpointState},
    http::{NoParameters, Timestamp},
    notifications::{self, NotificationFilter, Replayed},
    notify::endpoints::OwnedEndpoint,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(recover))
        .routes(routes!(replay_all))
        .routes(routes!(replay))
}

/// Since when an endpoint has missed messages.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "since": "2026-05-01T00:00:00Z" }))]
pub struct RecoverEndpoint {
    /// Messages of events before this time are left as they are.
    #[schema(value_type = DateTime<Utc>)]
    since: Timestamp,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HowToReplay {
    /// Only count the messages.
    dry_run: Option<bool>,
}

/// What is sent again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "messages": 412, "hasMore": false, "dryRun": true }))]
pub struct ResentMessages {
    /// Messages that are due now, or would be.
    messages: i64,
    /// Whether more messages match than one request takes up: repeat it once these are sent.
    has_more: bool,
    dry_run: bool,
}

/// Send what an endpoint has missed.
///
/// Messages that are `skipped` or `exhausted` become due again, oldest first, with the same `webhook-id` and all their
/// retries. The endpoint must be active: resume it first.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/recover", operation_id = "recoverEndpoint", tag = "notifications",
    params(("id" = Uuid, Path), HowToReplay),
    request_body = RecoverEndpoint,
    responses(
        (status = ACCEPTED, body = ResentMessages),
        Problems<{ OF_BODY | OF_ENDPOINT | codes(&[Code::StateConflict]) }>,
    ),
    security(("key" = ["notify:write"])),
)]
async fn recover(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    ApiQuery(how): ApiQuery<HowToReplay>,
    body: ApiJson,
) -> Result<Response, ApiError> {
    let RecoverEndpoint { since: Timestamp(since) } = body.typed()?;
    let endpoint = active(&state, &asked).await?;
    let limit = i64::from(state.notify.replay_max);
    if how.dry_run == Some(true) {
        let found = notifications::recoverable(&state.db, endpoint.id, since, limit).await?;
        return Ok(accepted(found, true));
    }
    let mut tx = db::begin(&state.db).await?;
    let found = notifications::recover(&mut tx, endpoint.id, since, limit).await?;
    tx.commit().await?;
    state.announcer.tell_written();
    Ok(accepted(found, false))
}

/// Send messages of an endpoint again.
///
/// Each message that matches and has a final state is sent once more, as a message of its own with another `webhook-id`, so
/// that a receiver that remembers ids does not ignore it. Replays themselves are left out. The endpoint must be active.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/replay", operation_id = "replayMessages", tag = "notifications",
    params(("id" = Uuid, Path), HowToReplay),
    request_body = MessageFilter,
    responses(
        (status = ACCEPTED, body = ResentMessages),
        Problems<{ OF_BODY | OF_ENDPOINT | codes(&[Code::StateConflict, Code::CallerLimit]) }>,
    ),
    security(("key" = ["notify:write"])),
)]
async fn replay_all(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    ApiQuery(how): ApiQuery<HowToReplay>,
    body: ApiJson,
) -> Result<Response, ApiError> {
    let filter = NotificationFilter::from(body.typed::<MessageFilter>()?);
    let endpoint = active(&state, &asked).await?;
    let limit = room(&state, &endpoint).await?;
    if how.dry_run == Some(true) {
        let mut tx = db::begin_reading(&state.db).await?;
        let found = notifications::replayable(&mut tx, endpoint.id, &filter, limit).await?;
        return Ok(accepted(found, true));
    }
    let mut tx = db::begin(&state.db).await?;
    let found = notifications::replay_many(&mut tx, endpoint.id, &filter, &nonce(), limit).await?;
    tx.commit().await?;
    state.announcer.tell_written();
    Ok(accepted(found, false))
}

/// Send one notification again.
///
/// As a message of its own with another `webhook-id`, so that a receiver that remembers ids does not ignore it. Its
/// endpoint must be active.
#[utoipa::path(
    post, path = "/v1/notifications/{id}/replay", operation_id = "replayNotification", tag = "notifications",
    params(("id" = Uuid, Path)),
    responses(
        (status = ACCEPTED, body = NotificationView),
        Problems<{ OF_ENDPOINT | codes(&[Code::NotificationNotFound, Code::StateConflict,
            Code::CallerLimit]) }>,
    ),
    security(("key" = ["notify:write"])),
)]
async fn replay(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
) -> Result<Response, ApiError> {
    let missing = || ApiError::NotificationNotFound(id);
    let found = notifications::find(&state.db, caller.id, id).await?.ok_or_else(missing)?;
    let asked = OwnedEndpoint { caller: caller.clone(), id: found.endpoint_id };
    let endpoint = active(&state, &asked).await?;
    room(&state, &endpoint).await?;
    let mut tx = db::begin(&state.db).await?;
    let made = notifications::replay(&mut tx, id, &nonce()).await?.ok_or_else(missing)?;
    let row = notifications::find(&mut *tx, caller.id, made).await?.ok_or_else(missing)?;
    tx.commit().await?;
    state.announcer.tell_written();
    Ok((StatusCode::ACCEPTED, Json(NotificationView::from(row))).into_response())
}

/// The endpoint, if it is sent messages now.
async fn active(state: &ApiState, asked: &OwnedEndpoint) -> Result<Endpoint, ApiError> {
    let endpoint = asked.find(&state.db).await?;
    match endpoint.state {
        EndpointState::Active => Ok(endpoint),
        EndpointState::Paused => Err(ApiError::EndpointNotActive("paused")),
        EndpointState::Disabled => Err(ApiError::EndpointNotActive("disabled")),
    }
}

/// How many more replays the endpoint may have.
async fn room(state: &ApiState, endpoint: &Endpoint) -> Result<i64, ApiError> {
    let most = i64::from(state.notify.replay_max);
    let taken = notifications::unfinished_replays(&state.db, endpoint.id, most).await?;
    match most - taken {
        0 => Err(ApiError::TooManyReplays(state.notify.replay_max)),
        left => Ok(left),
    }
}

fn accepted(found: Replayed, dry_run: bool) -> Response {
    let view = ResentMessages { messages: found.messages, has_more: found.has_more, dry_run };
    (StatusCode::ACCEPTED, Json(view)).into_response()
}

/// Makes the `webhook-id` of a replay another one.
fn nonce() -> String {
    format!("{:08x}", rand::random::<u32>())
}
