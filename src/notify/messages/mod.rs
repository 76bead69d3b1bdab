//! Messages to endpoints: what was sent, and sending it again.
mod list;
mod replay;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    list::router().merge(replay::router())
}
