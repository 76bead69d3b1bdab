//! Stage 6: operators look at what was delivered, whosever job it is about, have it read again, and see
//! how it departs from the provider's contract.
//!
//! Every operation insists on a scope of the key. The commands do the same without one: who reaches
//! the database needs no key.
mod batch;
mod deliveries;
mod drift;
mod provider;
pub mod reparse;
pub mod replay;
mod replays;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::api::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    deliveries::router().merge(replays::router()).merge(drift::router()).merge(provider::router())
}
