//! `/v1/media`: callers upload recordings, and submit jobs about them.
mod body;
mod job;
mod remove;
mod upload;
mod view;

use utoipa_axum::router::OpenApiRouter;

pub use job::{media, relations, resolve};

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    upload::router().merge(remove::router())
}
