//! `GET /v1/endpoints/{id}/messages` and `GET /v1/jobs/{id}/notifications`: what was sent, and what came back.
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::views::NotificationView;
use crate::{
    api::{
        ApiError, ApiQuery, ApiState, OwnedJob, paths,
        problems::{Code, OF_ENDPOINT, OF_JOB, Problems, codes},
    },
    db,
    endpoints::EventType,
    http::{self, CombinedQuery, Limit, Page, Timestamp},
    notifications::{self, Notification, NotificationFilter, State as MessageState},
    notify::endpoints::OwnedEndpoint,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(of_endpoint)).routes(routes!(of_job))
}

/// Which messages. Conditions apply together.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({ "type": ["job.completed"], "occurredAfter": "2026-05-01T00:00:00Z" }))]
pub struct MessageFilter {
    /// Only messages in these states; may be repeated.
    #[serde(default)]
    pub state: Vec<MessageState>,
    /// Only messages of these types; may be repeated.
    #[serde(default, rename = "type")]
    pub kind: Vec<EventType>,
    /// Only events at or after this time (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub occurred_after: Option<Timestamp>,
    /// Only events before this time (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub occurred_before: Option<Timestamp>,
}

impl From<MessageFilter> for NotificationFilter {
    fn from(filter: MessageFilter) -> Self {
        Self {
            states: filter.state,
            kinds: filter.kind.into_iter().map(|kind| kind.name().to_owned()).collect(),
            occurred_after: filter.occurred_after.map(|Timestamp(at)| at),
            occurred_before: filter.occurred_before.map(|Timestamp(at)| at),
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Messages per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page; the filters must be the same.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// List the messages of an endpoint, newest first.
///
/// Each with its last attempts. Messages are kept for `retention.notifications`, 30 days by default.
#[utoipa::path(
    get, path = "/v1/endpoints/{id}/messages", operation_id = "listMessages", tag = "notifications",
    params(("id" = Uuid, Path), MessageFilter, PageQuery),
    responses(
        (status = OK, body = Page<NotificationView>, headers(("Link" = String))),
        Problems<{ OF_ENDPOINT | codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["notify:write"])),
)]
async fn of_endpoint(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    OriginalUri(uri): OriginalUri,
    ApiQuery(CombinedQuery(filter, query)): ApiQuery<CombinedQuery<MessageFilter, PageQuery>>,
) -> Result<Response, ApiError> {
    let endpoint = asked.find(&state.db).await?;
    let limit = query.limit.unwrap_or_default();
    let filter = NotificationFilter::from(filter);
    let listing = format!("messages {} {}", endpoint.id, http::conditions(&filter));
    let before = before(&state, &listing, query.cursor.as_deref())?;
    let mut tx = db::begin_reading(&state.db).await?;
    let rows = notifications::list(&mut tx, endpoint.id, &filter, before, limit.get() + 1).await?;
    drop(tx);
    answer(&state, &listing, rows, limit, &uri).await
}

/// List the notifications about a job, newest first.
///
/// To all endpoints, each with its last attempts. Empty if no endpoint wanted its events.
#[utoipa::path(
    get, path = paths::NOTIFICATIONS, operation_id = "listNotifications", tag = "notifications",
    params(("id" = Uuid, Path), PageQuery),
    responses(
        (status = OK, body = Page<NotificationView>, headers(("Link" = String))),
        Problems<{ OF_JOB | codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["jobs:read"])),
)]
async fn of_job(
    State(state): State<ApiState>,
    asked: OwnedJob,
    OriginalUri(uri): OriginalUri,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Response, ApiError> {
    let job = asked.find(&state.db).await?;
    let limit = query.limit.unwrap_or_default();
    let listing = format!("notifications {}", job.id);
    let before = before(&state, &listing, query.cursor.as_deref())?;
    let rows = notifications::of_job(&state.db, job.id, before, limit.get() + 1).await?;
    answer(&state, &listing, rows, limit, &uri).await
}

/// The id in a cursor.
fn before(state: &ApiState, listing: &str, cursor: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let open = |cursor| state.cursors.open(listing, cursor).map(Uuid::from_bytes);
    Ok(cursor.map(open).transpose()?)
}

async fn answer(
    state: &ApiState,
    listing: &str,
    rows: Vec<Notification>,
    limit: Limit,
    uri: &axum::http::Uri,
) -> Result<Response, ApiError> {
    let seal = |row: &Notification| state.cursors.seal(listing, row.id.as_bytes());
    let Page { data, next_cursor, has_more } = Page::new(rows, limit, seal, |row| row);
    let data = NotificationView::all(&state.db, data).await?;
    Ok(Page { data, next_cursor, has_more }.answer(uri))
}
