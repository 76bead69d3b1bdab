//! Stage 5: callers read their jobs and results. Nothing here changes a row.
mod counts;
mod events;
mod exports;
mod jobs;
mod media;
mod peaks;
mod results;
mod search;
mod shape;
mod stats;
mod suggestions;
mod transcript;
mod utterances;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    jobs::router()
        .merge(counts::router())
        .merge(events::router())
        .merge(results::router())
        .merge(utterances::router())
        .merge(transcript::router())
        .merge(search::router())
        .merge(shape::router())
        .merge(stats::router())
        .merge(suggestions::router())
        .merge(exports::router())
        .merge(media::router())
        .merge(peaks::router())
}
