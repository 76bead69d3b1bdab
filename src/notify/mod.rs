//! Stage 6: callers are notified at their endpoints. The outbox is in [`notifications`](crate::notifications).
mod body;
mod compose;
mod deliver;
mod endpoints;
mod messages;
mod record;
mod verdict;

use utoipa_axum::router::OpenApiRouter;

pub use deliver::Deliverer;

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    endpoints::router().merge(messages::router())
}
