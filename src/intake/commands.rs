//! `POST /v1/jobs/{id}/cancel` and `/retry`.
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::ApiState,
    callers::Caller,
    http::{ApiError, ApiPath, ApiQuery, NoParameters, Problem},
    jobs::{self, JobView},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(cancel)).routes(routes!(retry))
}

/// Take a job back.
///
/// What the provider still sends for it is kept, but changes nothing. A submission that is on its
/// way may be paid for.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", operation_id = "cancelJob", tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = OK, body = JobView),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn cancel(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<JobView>, ApiError> {
    let mut tx = state.announcer.begin(&state.db).await?;
    let applied = jobs::cancel(&mut tx, caller.id, id).await?;
    let view = view(&mut tx, &caller, id).await?;
    tx.commit().await?;
    if applied { Ok(Json(view)) } else { Err(ApiError::StateConflict("cancel", view.state.name())) }
}

/// Try a failed or timed-out job again.
///
/// It gets a new deadline and a new attempt, which is paid for again. A result that an earlier
/// attempt brings first still counts, a failure does not.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", operation_id = "retryJob", tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = ACCEPTED, body = JobView),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn retry(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
) -> Result<Response, ApiError> {
    let mut tx = state.announcer.begin(&state.db).await?;
    let applied = jobs::retry(&mut tx, caller.id, id, state.deadline).await?;
    let view = view(&mut tx, &caller, id).await?;
    tx.commit().await?;
    if !applied {
        return Err(ApiError::StateConflict("retry", view.state.name()));
    }
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

/// The job as it now is; 404 for everybody but its caller.
async fn view(
    tx: &mut sqlx::PgTransaction<'_>,
    caller: &Caller,
    id: Uuid,
) -> Result<JobView, ApiError> {
    tracing::Span::current().record("job_id", tracing::field::display(id));
    let job = jobs::find(&mut **tx, caller.id, id).await?;
    job.map(JobView::from).ok_or_else(|| ApiError::JobNotFound(id.to_string()))
}
