//! Stage 5: callers read their jobs and what was found. Nothing here changes a row.
mod events;
mod jobs;
mod results;
mod search;
mod together;
mod views;

use axum::Extension;
use utoipa_axum::router::OpenApiRouter;

use crate::http::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    let jobs = jobs::router().merge(events::router());
    let all = jobs.merge(results::router()).merge(search::router());
    all.layer(Extension(together::Together::default()))
}
