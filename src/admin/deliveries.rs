//! `GET /v1/admin/deliveries`.
#![expect(unused_qualifications, reason = "what `utoipa::path` makes of `params`")]
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::views::DeliveryView;
use crate::{
    callers::{Caller, Scope},
    deliveries::{self, DeliveryRow, Filter, Outcome},
    http::{self, ApiError, ApiQuery, ApiState, Page, Problem},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListDeliveries {
    /// Only deliveries with these outcomes; may be repeated.
    #[serde(default)]
    outcome: Vec<Outcome>,
    /// Only deliveries of this job.
    job_id: Option<Uuid>,
    /// Deliveries a page, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `nextCursor` of the page before, with the same filters.
    cursor: Option<String>,
}

/// List deliveries to all callers' jobs, newest first.
///
/// Needs the scope `admin:read`.
#[utoipa::path(
    get, path = "/v1/admin/deliveries", operation_id = "listDeliveries", tag = "admin",
    params(ListDeliveries),
    responses(
        (status = OK, body = Page<DeliveryView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<ListDeliveries>,
) -> Result<Json<Page<DeliveryView>>, ApiError> {
    caller.require(Scope::AdminRead)?;
    let limit = http::limit(query.limit)?;
    let filter = Filter { outcomes: query.outcome, job_id: query.job_id };
    let listing = format!("deliveries {filter:?}");
    let open = |cursor| state.cursors.open::<16>(&listing, cursor).map(Uuid::from_bytes);
    let before = query.cursor.as_deref().map(open).transpose()?;
    let rows = deliveries::list(&state.db, &filter, before, limit + 1).await?;
    let seal = |row: &DeliveryRow| state.cursors.seal(&listing, row.id.as_bytes());
    Ok(Json(Page::new(rows, limit, seal, DeliveryView::from)))
}
