//! `POST /v1/jobs/{id}/cancel` and `/retry`.
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    recording,
    validation::{content_uri, member},
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState, JobView, OwnedJob,
        problems::{Code, OF_BODY, OF_JOB, Problems, codes},
    },
    http::{Fault, Faults, NoParameters},
    jobs::{self, Change, RecordingUrl},
    partitions,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(cancel)).routes(routes!(retry))
}

/// Cancel a job.
///
/// Later deliveries for the job are stored but do not change it. A submission already in progress
/// may still be paid for.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", operation_id = "cancelJob", tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = OK, body = JobView),
        Problems<{ OF_JOB | codes(&[Code::StateConflict]) }>,
    ),
    security(("key" = ["jobs:write"])),
)]
async fn cancel(
    State(state): State<ApiState>,
    asked: OwnedJob,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<JobView>, ApiError> {
    let mut tx = state.announcer.begin(&state.db).await?;
    let view = cancel_job(&mut tx, &asked).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// # Errors
/// `state-conflict` if it is final already.
pub async fn cancel_job(tx: &mut Change<'_>, asked: &OwnedJob) -> Result<JobView, ApiError> {
    let applied = jobs::cancel(tx, asked.caller.id, asked.id).await?;
    let view = JobView::from(asked.find(&mut ***tx).await?);
    if applied { Ok(view) } else { Err(ApiError::StateConflict("cancel", view.state.name())) }
}

/// Retry a failed or timed-out job.
///
/// The job gets a new deadline and a new attempt, which is paid for again. If an earlier attempt
/// delivers a result first, that result is used; a failure of an earlier attempt is ignored. A
/// recording that was uploaded as `content` is deleted some time after its job has ended, a week by
/// default; the job then cannot be retried. So is the URL of a recording if it has credentials; give a fresh `contentUri`
/// then, or where the URL has expired.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", operation_id = "retryJob", tag = "jobs",
    params(("id" = Uuid, Path)),
    request_body = Option<RetryJob>,
    responses(
        (status = ACCEPTED, body = JobView),
        Problems<{
            OF_JOB
                | OF_BODY
                | codes(&[Code::StateConflict, Code::RecordingExpired, Code::ExpiresTooSoon])
        }>,
    ),
    security(("key" = ["jobs:write"])),
)]
async fn retry(
    State(state): State<ApiState>,
    asked: OwnedJob,
    _query: ApiQuery<NoParameters>,
    body: Option<ApiJson>,
) -> Result<Response, ApiError> {
    let fresh = body.map(|body| fresh_url(body.value)).transpose();
    let fresh = fresh.map_err(ApiError::ValidationFailed)?.flatten();
    let mut tx = state.announcer.begin(&state.db).await?;
    let view = retry_job(&state, &mut tx, &asked, fresh.as_deref()).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

/// `fresh`: the new URL of the recording, if there is one. After an error, the transaction must not be committed.
///
/// # Errors
/// `state-conflict` if it cannot be retried, `recording-expired` or `expires-too-soon` if the provider could not fetch
/// the recording.
pub async fn retry_job(
    state: &ApiState,
    tx: &mut Change<'_>,
    asked: &OwnedJob,
    fresh: Option<&str>,
) -> Result<JobView, ApiError> {
    partitions::ensure_of(tx, &[asked.id]).await?;
    let (caller_id, id) = (asked.caller.id, asked.id);
    let before = asked.find(&mut ***tx).await?.state.name();
    // Before the job is queued, so that it does not wait for itself.
    let in_time = is_in_time(state, tx, asked, fresh).await;
    if !jobs::retry(tx, caller_id, id, state.deadline).await? {
        return Err(ApiError::StateConflict("retry", before));
    }
    if let Some(uri) = fresh
        && !jobs::replace_url(tx, &state.seal, id, uri).await?
    {
        let detail = "the recording of this job was uploaded; submit the URL as a new job";
        let fault = Fault::at("#/contentUri", "conflict", detail);
        return Err(ApiError::ValidationFailed(fault.into()));
    }
    if !jobs::has_recording(&mut ***tx, id).await? {
        return Err(ApiError::RecordingExpired);
    }
    in_time?;
    Ok(JobView::from(asked.find(&mut ***tx).await?))
}

/// Whether the job, if it were queued now, would be submitted before its URL expires.
async fn is_in_time(
    state: &ApiState,
    tx: &mut Change<'_>,
    asked: &OwnedJob,
    fresh: Option<&str>,
) -> Result<(), ApiError> {
    let expiry = match fresh {
        Some(uri) => recording::expiry_of(state, uri)?,
        None => match jobs::recording_urls(tx, &state.seal, &[asked.id]).await?.remove(&asked.id) {
            Some(RecordingUrl::Given(uri)) => recording::expiry_of(state, &uri)?,
            Some(RecordingUrl::Unreadable) | None => None,
        },
    };
    match expiry {
        Some(at) => recording::in_time(state, tx, asked.caller.id, at).await,
        None => Ok(()),
    }
}

/// A retry may bring a fresh URL of the recording.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "contentUri": "https://media.example/calls/42.wav?X-Amz-Date=…" }))]
#[expect(dead_code, reason = "describes the body; fresh_url() checks it")]
pub struct RetryJob {
    /// Replaces the URL that the job was submitted with.
    #[schema(format = "iri", pattern = "^https?://", max_length = 8192)]
    content_uri: Option<String>,
}

/// The URL in the body of a retry, by the rules of a submission.
fn fresh_url(body: Value) -> Result<Option<String>, Faults> {
    let body = match body {
        Value::Null => return Ok(None),
        Value::Object(body) => body,
        _ => return Err(Fault::at("#", "type", "the body must be a JSON object").into()),
    };
    let mut faults = Faults::default();
    for (name, value) in &body {
        let at = member("#", name);
        if name != "contentUri" {
            let detail = "is not a known member; the only one is contentUri";
            faults.add(|| Fault::at(at, "unknown", detail));
        } else if !value.is_null() {
            content_uri(&at, value, &mut faults);
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(body.get("contentUri").and_then(Value::as_str).map(str::to_owned))
}
