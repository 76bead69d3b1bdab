//! Stage 5: callers read their jobs and results. Nothing here changes a row.
mod events;
mod exports;
mod filters;
mod jobs;
mod media;
mod results;
mod search;
mod shape;
mod stats;
mod transcript;
mod utterances;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    jobs::router()
        .merge(events::router())
        .merge(results::router())
        .merge(utterances::router())
        .merge(transcript::router())
        .merge(search::router())
        .merge(shape::router())
        .merge(stats::router())
        .merge(exports::router())
        .merge(media::router())
}
