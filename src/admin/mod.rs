//! Stage 6: operators look at what was delivered, whosever job it is about, and at how it
//! departs from the provider's contract.
//!
//! Every operation insists on a scope of the key.
mod deliveries;
mod drift;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::http::ApiState;

pub fn router() -> OpenApiRouter<ApiState> {
    deliveries::router().merge(drift::router())
}
