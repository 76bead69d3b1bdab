//! Stage 7: operators inspect the deliveries of all callers, replay them, see how the provider departs from its
//! contract, and how the service is doing; and manage API keys.
//!
//! Every operation requires a scope of the API key. The commands do the same work without a key, since access to the
//! database is enough.
mod batch;
mod callers;
mod config;
mod deliveries;
mod drift;
mod jobs;
mod keys;
pub mod overview;
mod provider;
pub mod reparse;
pub mod replay;
mod replays;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    deliveries::router()
        .merge(replays::router())
        .merge(drift::router())
        .merge(provider::router())
        .merge(callers::router())
        .merge(overview::router())
        .merge(keys::router())
        .merge(config::router())
        .merge(jobs::router())
}
