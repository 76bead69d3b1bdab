//! `POST /v1/jobs/{id}/cancel` and `/retry`.
use std::collections::BTreeMap;

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
    callers::CallerId,
    http::{Fault, Faults, NoParameters},
    jobs::{self, Change, JobId, QueuePlace, RecordingUrl, State as JobState},
    partitions,
};

/// Jobs that did not take a command, each for a reason of its own, which is no error of the service.
pub type Refused = BTreeMap<JobId, ApiError>;

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
    alone(cancel_jobs(&mut tx, asked.caller.id, &[asked.id]).await?)?;
    let view = JobView::from(asked.find(&mut **tx).await?);
    tx.commit().await?;
    Ok(Json(view))
}

/// Cancels those of the jobs that can be. Refuses the others with `job-not-found`, or `state-conflict` if they are final.
pub async fn cancel_jobs(
    tx: &mut Change<'_>,
    caller_id: CallerId,
    ids: &[JobId],
) -> Result<Refused, ApiError> {
    let (open, refused) = locked(tx, caller_id, ids, "cancel", |state| !state.is_final()).await?;
    jobs::cancel(tx, caller_id, &open).await?;
    Ok(refused)
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
    let ids = [asked.id];
    alone(retry_jobs(&state, &mut tx, asked.caller.id, &ids, fresh.as_deref()).await?)?;
    let view = JobView::from(asked.find(&mut **tx).await?);
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

/// Retries those of the jobs that can be. Refuses the others with `job-not-found`, `state-conflict` if they cannot be
/// retried, `recording-expired` or `expires-too-soon` if the provider could not fetch the recording.
///
/// `fresh`: the new URL of their recordings, if there is one. Refused jobs may have it, too: then the transaction must not be
/// committed.
pub async fn retry_jobs(
    state: &ApiState,
    tx: &mut Change<'_>,
    caller_id: CallerId,
    ids: &[JobId],
    fresh: Option<&str>,
) -> Result<Refused, ApiError> {
    partitions::ensure_of(tx, ids).await?;
    let can_be = |state| matches!(state, JobState::Failed | JobState::TimedOut);
    let (open, mut refused) = locked(tx, caller_id, ids, "retry", can_be).await?;
    if let Some(uri) = fresh {
        replace_urls(state, tx, &open, uri).await?;
    }
    let recorded = jobs::with_recording(tx, &open).await?;
    let urls = jobs::recording_urls(tx, &state.seal, &open).await?;
    // Of the first of them; each next one is behind those that are retried before it.
    let mut place = jobs::place_of_next(&mut ***tx, caller_id).await?;
    let mut retried = Vec::new();
    for id in open {
        let checked = if recorded.contains(&id) {
            is_in_time(state, tx, place, urls.get(&id)).await
        } else {
            Err(ApiError::RecordingExpired)
        };
        match checked {
            Ok(()) => {
                retried.push(id);
                place.position += 1;
            }
            Err(error) if error.code().status().is_client_error() => {
                refused.insert(id, error);
            }
            // Not this job's fault, but the service's own, such as a database that is not available.
            Err(error) => return Err(error),
        }
    }
    jobs::retry(tx, caller_id, &retried, state.deadline).await?;
    Ok(refused)
}

async fn replace_urls(
    state: &ApiState,
    tx: &mut Change<'_>,
    ids: &[JobId],
    uri: &str,
) -> Result<(), ApiError> {
    for id in ids {
        if !jobs::replace_url(tx, &state.seal, *id, uri).await? {
            let detail = "the recording of this job was uploaded; submit the URL as a new job";
            let fault = Fault::at("#/contentUri", "conflict", detail);
            return Err(ApiError::ValidationFailed(fault.into()));
        }
    }
    Ok(())
}

/// Whether a job, if it were queued at this place, would be submitted before its URL expires.
async fn is_in_time(
    state: &ApiState,
    tx: &mut Change<'_>,
    place: QueuePlace,
    url: Option<&RecordingUrl>,
) -> Result<(), ApiError> {
    let expiry = match url {
        Some(RecordingUrl::Given(uri)) => recording::expiry_of(state, uri)?,
        Some(RecordingUrl::Unreadable) | None => None,
    };
    match expiry {
        Some(at) => recording::in_time_at(state, tx, place, at).await,
        None => Ok(()),
    }
}

/// Locks the jobs. Returns those in a state that the command is for; the others are refused.
async fn locked(
    tx: &mut Change<'_>,
    caller_id: CallerId,
    ids: &[JobId],
    command: &'static str,
    takes: impl Fn(JobState) -> bool,
) -> Result<(Vec<JobId>, Refused), ApiError> {
    let own = jobs::lock_own(tx, caller_id, ids).await?;
    let (mut open, mut refused) = (Vec::new(), Refused::new());
    for id in ids.iter().copied() {
        let error = match own.get(&id).map(|job| job.state) {
            Some(state) if takes(state) => {
                open.push(id);
                continue;
            }
            Some(state) => ApiError::StateConflict(command, state.name()),
            None => ApiError::JobNotFound(id.to_string()),
        };
        refused.insert(id, error);
    }
    Ok((open, refused))
}

/// The only job of a command took it.
fn alone(mut refused: Refused) -> Result<(), ApiError> {
    refused.pop_first().map_or(Ok(()), |(_, error)| Err(error))
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
