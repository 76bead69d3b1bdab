//! Stage 5: callers read their jobs and what was found. Nothing here changes a row.
mod jobs;
mod results;
mod shape;
mod stats;
mod together;
mod views;

use axum::Extension;
use utoipa_axum::router::OpenApiRouter;

use crate::http::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    let all = jobs::router().merge(results::router()).merge(shape::router()).merge(stats::router());
    all.layer(Extension(together::Together::default()))
}
