//! Stage 5: callers read their jobs and what was found. Nothing here changes a row.
mod jobs;
mod results;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::http::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    jobs::router().merge(results::router())
}
