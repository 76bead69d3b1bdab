//! `POST /v1/jobs/{id}/cancel` and `/retry`.
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        ApiError, ApiQuery, ApiState, JobView, OwnedJob,
        problems::{Code, OF_JOB, Problems, codes},
    },
    callers::Scope,
    http::NoParameters,
    jobs, partitions,
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
    asked.caller.require(Scope::JobsWrite)?;
    let mut tx = state.announcer.begin(&state.db).await?;
    let applied = jobs::cancel(&mut tx, asked.caller.id, asked.id).await?;
    let view = JobView::from(asked.find(&mut **tx).await?);
    tx.commit().await?;
    if applied { Ok(Json(view)) } else { Err(ApiError::StateConflict("cancel", view.state.name())) }
}

/// Retry a failed or timed-out job.
///
/// The job gets a new deadline and a new attempt, which is paid for again. If an earlier attempt
/// delivers a result first, that result is used; a failure of an earlier attempt is ignored. A
/// recording that was uploaded as `content` is deleted some time after its job has ended, a week by
/// default; the job then cannot be retried.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", operation_id = "retryJob", tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = ACCEPTED, body = JobView),
        Problems<{ OF_JOB | codes(&[Code::StateConflict, Code::RecordingExpired]) }>,
    ),
    security(("key" = ["jobs:write"])),
)]
async fn retry(
    State(state): State<ApiState>,
    asked: OwnedJob,
    _query: ApiQuery<NoParameters>,
) -> Result<Response, ApiError> {
    asked.caller.require(Scope::JobsWrite)?;
    let mut tx = state.announcer.begin(&state.db).await?;
    partitions::ensure_of(&mut tx, &[asked.id]).await?;
    let applied = jobs::retry(&mut tx, asked.caller.id, asked.id, state.deadline).await?;
    let view = JobView::from(asked.find(&mut **tx).await?);
    if applied && !jobs::has_recording(&mut **tx, asked.id).await? {
        return Err(ApiError::RecordingExpired);
    }
    tx.commit().await?;
    if !applied {
        return Err(ApiError::StateConflict("retry", view.state.name()));
    }
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}
