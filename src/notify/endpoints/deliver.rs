//! `POST /v1/endpoints/{id}/test` and `POST /v1/notify/test`: sends a message at once, and shows what came of it.
use axum::{Json, extract::State};
use chrono::DateTime;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    OwnedEndpoint,
    body::{self, Draft, TestUrl},
    views::TestView,
};
use crate::{
    api::{
        Activity, ApiError, ApiJson, ApiQuery, ApiState, RequestPermit,
        problems::{OF_BODY, OF_ENDPOINT, Problems},
    },
    callers::Caller,
    egress::{Message, Secret, Target},
    endpoints::{self, EventType},
    http::NoParameters,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(test)).routes(routes!(test_url))
}

/// Test an endpoint.
///
/// Sends the event `notify.test` and waits for the response, whatever the state of the endpoint, which does not change.
///
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/test", operation_id = "testEndpoint", tag = "notifications",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = TestView), Problems<OF_ENDPOINT>),
    security(("key" = ["notify:write"])),
    extensions(("x-rate-weight" = json!(10))),
)]
async fn test(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    permit: RequestPermit,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<TestView>, ApiError> {
    permit.count_as(Activity::Test, asked.caller.id)?;
    asked.find(&state.db).await?;
    let found = endpoints::targets(&state.db, &state.seal, &[asked.id]).await?.remove(&asked.id);
    let found = found.ok_or(ApiError::EndpointNotFound(asked.id))?;
    let found = found.map_err(|error| ApiError::Internal(error.into()))?;
    send(&state, &found.target, Some(asked.id)).await
}

/// Test a URL.
///
/// Like the test of an endpoint, before there is one.
#[utoipa::path(
    post, path = "/v1/notify/test", operation_id = "testNotification", tag = "notifications",
    request_body = TestUrl,
    responses(
        (status = OK, body = TestView),
        Problems<OF_BODY>,
    ),
    security(("key" = ["notify:write"])),
    extensions(("x-rate-weight" = json!(10))),
)]
async fn test_url(
    State(state): State<ApiState>,
    caller: Caller,
    permit: RequestPermit,
    _query: ApiQuery<NoParameters>,
    body: ApiJson,
) -> Result<Json<TestView>, ApiError> {
    permit.count_as(Activity::Test, caller.id)?;
    let guard = state.sender.guard();
    let draft = Draft::read(&body.value, body::TEST, &["url"], guard, &caller).await?;
    let url = draft.url.ok_or_else(|| ApiError::Internal("a draft without its URL".into()))?.url;
    let secrets = vec![draft.secret.unwrap_or_else(Secret::generate)];
    send(&state, &Target { url, secrets }, None).await
}

async fn send(
    state: &ApiState,
    target: &Target,
    endpoint_id: Option<Uuid>,
) -> Result<Json<TestView>, ApiError> {
    let timestamp = endpoints::now(&state.db).await?;
    let body = json!({
        "type": EventType::Test.name(),
        "timestamp": DateTime::from_timestamp(timestamp, 0),
        "data": { "endpointId": endpoint_id },
    });
    let id = format!("msg_{}", Uuid::now_v7().simple());
    let message = Message { id, timestamp, body: body.to_string().into(), traceparent: None };
    let sent = state.sender.send(target, &message).await;
    Ok(Json(TestView::new(message.id, sent)))
}
