//! Stage 6: callers are notified at their endpoints.
mod endpoints;

use utoipa_axum::router::OpenApiRouter;

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    endpoints::router()
}
