//! `GET /v1/admin/deliveries`: lists deliveries with their outcomes, and returns their bytes.
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::views::DeliveryView;
use crate::{
    api::{
        ApiError, ApiPath, ApiQuery, ApiState,
        problems::{Code, Problems, codes},
    },
    callers::Caller,
    deliveries::{self, DeliveryFilter, DeliveryRow, Outcome, Stored},
    http::{self, Limit, NoParameters, Page, Timestamp},
    jobs::JobId,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(body))
}

/// Which deliveries, and how many per page.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Selection {
    /// Only deliveries with these outcomes; may be repeated.
    #[serde(default)]
    outcome: Vec<Outcome>,
    /// Only deliveries of this job.
    #[param(value_type = Option<Uuid>)]
    #[schema(value_type = Option<Uuid>)]
    job_id: Option<JobId>,
    /// Only deliveries received at or after this time (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    received_after: Option<Timestamp>,
    /// Only deliveries received before this time (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    received_before: Option<Timestamp>,
    /// `true`: only quarantined deliveries, that is malformed or mismatched ones that no replay has
    /// resolved. `false`: only the others.
    quarantined: Option<bool>,
    /// Deliveries per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    #[schema(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page; the filters must be the same.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    #[schema(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// A validated selection.
pub struct Selected {
    pub filter: DeliveryFilter,
    /// Only deliveries older than this one.
    pub before: Option<Uuid>,
    pub limit: Limit,
    /// Binds cursors to the filter.
    listing: String,
}

impl Selection {
    pub fn check(self, state: &ApiState) -> Result<Selected, ApiError> {
        let limit = self.limit.unwrap_or_default();
        let filter = DeliveryFilter {
            id: None,
            outcomes: self.outcome,
            job_id: self.job_id,
            received_after: self.received_after.map(|Timestamp(at)| at),
            received_before: self.received_before.map(|Timestamp(at)| at),
            quarantined: self.quarantined,
            originals: false,
        };
        let listing = format!("deliveries {}", http::conditions(&filter));
        let open = |cursor| state.cursors.open::<16>(&listing, cursor).map(Uuid::from_bytes);
        let before = self.cursor.as_deref().map(open).transpose()?;
        Ok(Selected { filter, before, limit, listing })
    }
}

impl Selected {
    /// The cursor for the page after this delivery.
    pub fn seal(&self, state: &ApiState, id: Uuid) -> String {
        state.cursors.seal(&self.listing, id.as_bytes())
    }
}

/// List deliveries to all callers' jobs, newest first.
#[utoipa::path(
    get, path = "/v1/admin/deliveries", operation_id = "listDeliveries", tag = "admin",
    params(Selection),
    responses(
        (status = OK, body = Page<DeliveryView>),
        Problems<{ codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["admin:read"])),
)]
async fn list(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiQuery(selection): ApiQuery<Selection>,
) -> Result<Json<Page<DeliveryView>>, ApiError> {
    let selected = selection.check(&state)?;
    let Selected { filter, before, limit, .. } = &selected;
    let rows = deliveries::list(&state.db, filter, *before, limit.get() + 1).await?;
    let seal = |row: &DeliveryRow| selected.seal(&state, row.id);
    Ok(Json(Page::new(rows, *limit, seal, DeliveryView::from)))
}

/// Show one delivery.
#[utoipa::path(
    get, path = "/v1/admin/deliveries/{id}", operation_id = "getDelivery", tag = "admin",
    params(("id" = Uuid, Path)),
    responses(
        (status = OK, body = DeliveryView),
        Problems<{ codes(&[Code::DeliveryNotFound]) }>,
    ),
    security(("key" = ["admin:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<DeliveryView>, ApiError> {
    Ok(Json(found(&state, id).await?.into()))
}

/// The bytes as received.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the answer")]
struct RawBody(Vec<u8>);

/// Get the body of a delivery, byte for byte as it was received.
///
/// The body is not decoded: if the delivery had a `Content-Encoding`, it is in the delivery's
/// `headers` and not in this response.
#[utoipa::path(
    get, path = "/v1/admin/deliveries/{id}/body", operation_id = "getDeliveryBody", tag = "admin",
    params(("id" = Uuid, Path)),
    responses(
        (status = OK, content((Value = "application/json"), (RawBody = "application/octet-stream"))),
        Problems<{ codes(&[Code::DeliveryNotFound]) }>,
    ),
    security(("key" = ["admin:read", "transcript:raw"])),
)]
async fn body(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    _query: ApiQuery<NoParameters>,
) -> Result<Response, ApiError> {
    let key = found(&state, id).await?.key();
    let stored = deliveries::stored(&state.db, &state.seal, &[key]).await?.pop();
    let stored = stored.ok_or(ApiError::DeliveryNotFound(id))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(safe_type(&stored))),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, stored.body).into_response())
}

/// Anyone with a token could have sent it, so it is served as JSON or bytes, never as a type that
/// browsers execute.
fn safe_type(stored: &Stored) -> &'static str {
    let is_plain = stored.encoding().is_none_or(|name| name.eq_ignore_ascii_case("identity"));
    if is_plain && stored.header("content-type").is_some_and(http::is_json) {
        "application/json"
    } else {
        "application/octet-stream"
    }
}

/// The delivery with this id, of any caller.
pub async fn found(state: &ApiState, id: Uuid) -> Result<DeliveryRow, ApiError> {
    let row = deliveries::find(&state.db, id).await?.ok_or(ApiError::DeliveryNotFound(id))?;
    tracing::Span::current().record("job_id", tracing::field::display(row.job_id));
    Ok(row)
}
