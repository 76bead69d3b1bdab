//! `GET /v1/admin/jobs/{id}`.
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        ApiError, ApiPath, ApiQuery, ApiState,
        problems::{OF_JOB, Problems},
    },
    callers::Caller,
    http::NoParameters,
    jobs::{self, JobId, State as JobState},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Whose job it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "caller": "crm", "state": "completed",
}))]
struct OwnerView {
    #[schema(value_type = Uuid)]
    id: JobId,
    /// The name of its caller.
    caller: String,
    state: JobState,
}

/// Show whose job this is.
///
/// Everything else about a job is its caller's, and is shown to the caller's keys only.
#[utoipa::path(
    get, path = "/v1/admin/jobs/{id}", operation_id = "getOwner", tag = "admin",
    params(("id" = Uuid, Path)),
    responses(
        (status = OK, body = OwnerView),
        Problems<{ OF_JOB }>,
    ),
    security(("key" = ["admin:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiPath(id): ApiPath<JobId>,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<OwnerView>, ApiError> {
    tracing::Span::current().record("job_id", tracing::field::display(id));
    let owner = jobs::owner(&state.db, id).await?;
    let (caller, state) = owner.ok_or_else(|| ApiError::NoSuchJob(id.to_string()))?;
    Ok(Json(OwnerView { id, caller, state }))
}
