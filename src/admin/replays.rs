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
    callers::Caller,
    deliveries::Outcome,
    http::NoParameters,
    jobs::JobId,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(replay_one)).routes(routes!(replay_many))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({ "acceptMismatch": false }))]
struct ReplayOne {
    /// Accept the delivery even if it names a different provider job.
    accept_mismatch: bool,
}

/// The outcome of a replay.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "replayOf": "0199f0c4-1b2c-7d3e-8f40-516273849506", "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203",
    "outcome": "accepted",
}))]
struct ReplayView {
    /// The delivery that was replayed.
    replay_of: Uuid,
    #[schema(value_type = Uuid)]
    job_id: JobId,
    outcome: Outcome,
}

/// Replay a stored delivery.
///
/// The delivery is parsed with the current parser and applied as if it had arrived now. The
/// original is unchanged; the replay is stored as a new delivery.
#[utoipa::path(
    post, path = "/v1/admin/deliveries/{id}/replay", operation_id = "replayDelivery", tag = "admin",
    params(("id" = Uuid, Path)),
    request_body = Option<ReplayOne>,
    responses(
        (status = ACCEPTED, body = ReplayView),
        Problems<{ OF_BODY | codes(&[Code::DeliveryNotFound]) }>,
    ),
    security(("key" = ["admin:write"])),
)]
async fn replay_one(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
    body: Option<ApiJson>,
) -> Result<Response, ApiError> {
    let body: Option<Option<ReplayOne>> = body.map(ApiJson::typed).transpose()?;
    let ReplayOne { accept_mismatch } = body.flatten().unwrap_or_default();
    let row = found(&state, id).await?;
    let outcomes = replayer(&state, &caller, accept_mismatch).batch(&[row.key()]).await?;
    let outcome = outcomes.first().copied().flatten().ok_or(ApiError::DeliveryNotFound(id))?;
    let replay_of = row.replay_of.unwrap_or(id);
    let view = ReplayView { replay_of, job_id: row.job_id, outcome };
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "filter": { "quarantined": true, "limit": 50 }, "dryRun": true }))]
struct ReplayMany {
    /// Same members as the query parameters of `GET /v1/admin/deliveries`. `{}` matches all
    /// deliveries. Replays are never replayed themselves.
    filter: Selection,
    /// Only count the matching deliveries.
    #[serde(default)]
    dry_run: bool,
    /// Accept deliveries even if they name a different provider job.
    #[serde(default)]
    accept_mismatch: bool,
}

/// The result of a dry run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "matched": 13 }))]
struct MatchedView {
    /// Number of deliveries that match the filter; nothing was replayed.
    matched: i64,
}

/// The outcomes of a request to replay deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "outcomes": { "accepted": 12, "malformed": 1 }, "failed": 0, "nextCursor": null, "hasMore": false,
}))]
struct ReplaysView {
    /// Number of replays in this request, by outcome.
    outcomes: BTreeMap<&'static str, usize>,
    /// Number of deliveries whose replay could not be stored; the log says why.
    failed: usize,
    /// Pass it as `cursor` of the same `filter` to continue; null when all deliveries are done.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Replay many stored deliveries, newest first.
///
/// One request replays at most `limit` deliveries (default 50), or fewer if they are large; continue
/// with `nextCursor`.
#[utoipa::path(
    post, path = "/v1/admin/replays", operation_id = "replayDeliveries", tag = "admin",
    request_body = ReplayMany,
    responses(
        (status = ACCEPTED, body = ReplaysView),
        (status = OK, body = MatchedView, description = "With `dryRun`: what would be replayed"),
        Problems<{ OF_BODY | codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["admin:write"])),
    extensions(("x-rate-weight" = json!(10))),
)]
async fn replay_many(
    State(state): State<ApiState>,
    caller: Caller,
    _query: ApiQuery<NoParameters>,
    body: ApiJson,
) -> Result<Response, ApiError> {
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
    let (db, announcer, seal) = (&state.db, &state.announcer, &state.seal);
    Replayer { db, announcer, seal, limits: state.limits, accept_mismatch, by: &caller.name }
}
