//! `DELETE /v1/media/{id}`.
use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::{
        ApiError, ApiPath, ApiQuery, ApiState, paths,
        problems::{Code, Problems, codes},
    },
    callers::Caller,
    db,
    http::NoParameters,
    media::{self, Removal},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(remove))
}

/// Delete an uploaded recording.
///
/// Jobs about it keep their results, but cannot be retried any more. While a job that is not final needs
/// the recording, it cannot be deleted.
#[utoipa::path(
    delete, path = paths::MEDIA, operation_id = "deleteMedia", tag = "media",
    params(("id" = Uuid, Path)),
    responses(
        (status = NO_CONTENT, description = "It is deleted"),
        Problems<{ codes(&[Code::MediaNotFound, Code::StateConflict]) }>,
    ),
    security(("key" = ["jobs:write"])),
)]
async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
) -> Result<StatusCode, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    match media::remove(&mut tx, caller.id, id).await? {
        Removal::NotFound => Err(ApiError::MediaNotFound(id)),
        Removal::InUse => Err(ApiError::MediaInUse),
        Removal::Done(removed) => {
            tx.commit().await?;
            // Nobody sees it any more. If this fails, retention repeats it.
            if let Ok(store) = state.media.store() {
                match removed.delete_from(store).await {
                    Ok(()) => media::forget(&state.db, &[id]).await.map(drop)?,
                    Err(error) => {
                        state.metrics.store_failed("delete");
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(
                            error,
                            "a deleted recording is still in the store; retention will delete it"
                        );
                    }
                }
            }
            Ok(StatusCode::NO_CONTENT)
        }
    }
}
