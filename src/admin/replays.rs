//! `POST /v1/admin/deliveries/{id}/replay` and `POST /v1/admin/replays`.
use std::collections::BTreeMap;

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

use super::{
    deliveries::{Selection, found},
    replay::Replayer,
};
use crate::{
    api::{
        ApiError, ApiJson, ApiPath, ApiQuery, ApiState,
        problems::{Code, OF_BODY, Problems, codes},
    },
    callers::{Caller, Scope},
    deliveries::Outcome,
    http::NoParameters,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(replay_one)).routes(routes!(replay_many))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({ "acceptMismatch": false }))]
struct ReplayOne {
    /// Believe it even if it names another job of the provider.
    accept_mismatch: bool,
}

/// What became of a replay.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "replayOf": "0199f0c4-1b2c-7d3e-8f40-516273849506", "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203",
    "outcome": "accepted",
}))]
struct ReplayView {
    /// The delivery that was read again.
    replay_of: Uuid,
    job_id: Uuid,
    outcome: Outcome,
}

/// Read a stored delivery again, with the present parser, as if it came now.
///
/// The delivery stays as it is; the replay is a delivery of its own. Needs the scope `admin:write`.
#[utoipa::path(
    post, path = "/v1/admin/deliveries/{id}/replay", operation_id = "replayDelivery", tag = "admin",
    params(("id" = Uuid, Path)),
    request_body = Option<ReplayOne>,
    responses(
        (status = ACCEPTED, body = ReplayView),
        Problems<{ OF_BODY | codes(&[Code::MissingScope, Code::DeliveryNotFound]) }>,
    ),
    security(("key" = [])),
)]
async fn replay_one(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
    body: Option<ApiJson>,
) -> Result<Response, ApiError> {
    caller.require(Scope::AdminWrite)?;
    let body: Option<Option<ReplayOne>> = body.map(ApiJson::typed).transpose()?;
    let ReplayOne { accept_mismatch } = body.flatten().unwrap_or_default();
    let row = found(&state, id).await?;
    let outcomes = replayer(&state, &caller, accept_mismatch).batch(&[row.place()]).await?;
    let outcome = outcomes.first().copied().flatten().ok_or(ApiError::DeliveryNotFound(id))?;
    let replay_of = row.replay_of.unwrap_or(id);
    let view = ReplayView { replay_of, job_id: row.job_id, outcome };
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "filter": { "quarantined": true, "limit": 50 }, "dryRun": true }))]
struct ReplayMany {
    /// As the query of `GET /v1/admin/deliveries`; replays themselves are never replayed. `{}` means
    /// all deliveries.
    filter: Selection,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Believe deliveries even if they name other jobs of the provider.
    #[serde(default)]
    accept_mismatch: bool,
}

/// What a run would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "matched": 13 }))]
struct MatchedView {
    /// Deliveries that fit the filter; nothing was replayed.
    matched: i64,
}

/// What a run did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "outcomes": { "accepted": 12, "malformed": 1 }, "failed": 0, "nextCursor": null, "hasMore": false,
}))]
struct ReplaysView {
    /// Replays of this call, by their outcome.
    outcomes: BTreeMap<&'static str, usize>,
    /// Deliveries that could not be stored anew; the log says why.
    failed: usize,
    /// Pass it as `cursor` of the same `filter` to go on; null when all are done.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Read many stored deliveries again, newest first.
///
/// One call replays at most `limit` of them (50 when left out), or fewer if they are large; go on with
/// `nextCursor`. Needs the scope `admin:write`.
#[utoipa::path(
    post, path = "/v1/admin/replays", operation_id = "replayDeliveries", tag = "admin",
    request_body = ReplayMany,
    responses(
        (status = ACCEPTED, body = ReplaysView),
        (status = OK, body = MatchedView, description = "What a run would replay (`dryRun`)"),
        Problems<{ OF_BODY | codes(&[Code::MissingScope, Code::CursorMismatch]) }>,
    ),
    security(("key" = [])),
)]
async fn replay_many(
    State(state): State<ApiState>,
    caller: Caller,
    _query: ApiQuery<NoParameters>,
    body: ApiJson,
) -> Result<Response, ApiError> {
    caller.require(Scope::AdminWrite)?;
    let ReplayMany { filter, dry_run, accept_mismatch } = body.typed()?;
    let selected = filter.check(&state)?;
    let replayer = replayer(&state, &caller, accept_mismatch);
    if dry_run {
        let matched = replayer.matched(&selected.filter).await?;
        return Ok(Json(MatchedView { matched }).into_response());
    }
    let summary = replayer.page(&selected.filter, selected.before, selected.limit).await?;
    let next_cursor = summary.next.map(|id| selected.seal(&state, id));
    let view = ReplaysView {
        outcomes: summary.outcomes,
        failed: summary.failed,
        has_more: next_cursor.is_some(),
        next_cursor,
    };
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

fn replayer<'a>(state: &'a ApiState, caller: &'a Caller, accept_mismatch: bool) -> Replayer<'a> {
    let (db, announcer) = (&state.db, &state.announcer);
    Replayer { db, announcer, limits: state.limits, accept_mismatch, by: &caller.name }
}
