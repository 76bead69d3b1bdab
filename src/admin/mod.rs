//! Stage 6: operators look at what was delivered, whosever job it is about, and have it read again.
//!
//! Every operation insists on a scope of the key. The commands do the same without one: who reaches
//! the database needs no key.
mod batch;
mod deliveries;
pub mod reparse;
pub mod replay;
mod replays;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::http::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    deliveries::router().merge(replays::router())
}
