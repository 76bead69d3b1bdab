//! `GET /v1/admin/callers` and `PATCH /v1/admin/callers/{name}`: weights and quotas.
use std::ops::RangeInclusive;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::{
        ApiError, ApiJson, ApiPath, ApiQuery, ApiState,
        problems::{Code, OF_BODY, Problems, codes},
    },
    callers::{self, Caller, CallerRow, LimitsChange, QUOTAS, WEIGHTS},
    db,
    http::{Fault, Faults, Limit, NoParameters, Page, closest},
    json,
};

/// Binds cursors to this list.
const LISTING: &str = "callers";
const MEMBERS: [&str; 3] = ["weight", "dailyQuota", "monthlyQuota"];

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(change))
}

/// A caller: an internal app with its limits, and how much of them is used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "crm", "weight": 2, "dailyQuota": 500, "dailyUsed": 120,
    "dailyResetsAt": "2026-05-02T00:00:00Z", "monthlyQuota": null, "monthlyUsed": 120,
    "monthlyResetsAt": "2026-06-01T00:00:00Z", "lastSubmittedAt": "2026-05-01T09:31:12.900Z",
    "createdAt": "2026-04-01T08:00:00Z",
}))]
struct CallerView {
    name: String,
    /// While several callers have queued jobs, they are submitted in proportion to their weights.
    weight: i32,
    /// Submissions to the provider allowed per day (UTC); null without a limit.
    daily_quota: Option<i64>,
    /// Submissions today that count: all that the provider may have accepted.
    daily_used: i64,
    daily_resets_at: DateTime<Utc>,
    /// Submissions to the provider allowed per calendar month (UTC); null without a limit.
    monthly_quota: Option<i64>,
    monthly_used: i64,
    monthly_resets_at: DateTime<Utc>,
    last_submitted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<CallerRow> for CallerView {
    fn from(row: CallerRow) -> Self {
        Self {
            name: row.name,
            weight: row.weight,
            daily_quota: row.daily_quota,
            daily_used: row.daily_used,
            daily_resets_at: row.daily_resets_at,
            monthly_quota: row.monthly_quota,
            monthly_used: row.monthly_used,
            monthly_resets_at: row.monthly_resets_at,
            last_submitted_at: row.last_served_at,
            created_at: row.created_at,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Callers per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// List callers with their weights, their quotas and what is used of them, oldest first.
#[utoipa::path(
    get, path = "/v1/admin/callers", operation_id = "listCallers", tag = "admin",
    params(PageQuery),
    responses(
        (status = OK, body = Page<CallerView>),
        Problems<{ codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["admin:read"])),
)]
async fn list(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<CallerView>>, ApiError> {
    let limit = query.limit.unwrap_or_default();
    let open = |cursor| state.cursors.open::<16>(LISTING, cursor).map(Uuid::from_bytes);
    let after = query.cursor.as_deref().map(open).transpose()?.map(Into::into);
    let rows = callers::all(&state.db, after, Some(limit.get() + 1)).await?;
    let seal = |row: &CallerRow| state.cursors.seal(LISTING, row.id.uuid().as_bytes());
    Ok(Json(Page::new(rows, limit, seal, CallerView::from)))
}

/// What to change; members that are left out stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "weight": 2, "dailyQuota": 500, "monthlyQuota": null }))]
#[expect(dead_code, reason = "describes the body; limits() checks it, fault by fault")]
struct ChangeCaller {
    #[schema(minimum = 1, maximum = 1000, required = false)]
    weight: i32,
    /// Null removes the quota.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    daily_quota: Option<i64>,
    /// Null removes the quota.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    monthly_quota: Option<i64>,
}

/// Change the weight and the quotas of a caller.
///
/// They hold from the next submission on: jobs that wait for a quota continue as soon as it is
/// raised.
#[utoipa::path(
    patch, path = "/v1/admin/callers/{name}", operation_id = "changeCaller", tag = "admin",
    params(("name" = String, Path)),
    request_body = ChangeCaller,
    responses(
        (status = OK, body = CallerView),
        Problems<{ OF_BODY | codes(&[Code::CallerNotFound]) }>,
    ),
    security(("key" = ["admin:write"])),
)]
async fn change(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiPath(name): ApiPath<String>,
    _query: ApiQuery<NoParameters>,
    body: ApiJson,
) -> Result<Json<CallerView>, ApiError> {
    let change = limits(&body.value).map_err(ApiError::ValidationFailed)?;
    let mut tx = db::begin(&state.db).await?;
    if !callers::set_limits(&mut *tx, &name, &change).await? {
        return Err(ApiError::CallerNotFound);
    }
    let row = callers::find(&mut *tx, &name).await?.ok_or(ApiError::CallerNotFound)?;
    tx.commit().await?;
    let LimitsChange { weight, daily_quota, monthly_quota } = change;
    tracing::info!(
        changed = %name, ?weight, ?daily_quota, ?monthly_quota, "limits of a caller changed"
    );
    Ok(Json(row.into()))
}

/// # Errors
/// All faults of the body, in its order.
fn limits(body: &Value) -> Result<LimitsChange, Faults> {
    let Value::Object(body) = body else {
        return Err(Fault::at("#", "type", "the body must be a JSON object").into());
    };
    let mut faults = Faults::default();
    let mut change = LimitsChange::default();
    for (name, value) in body {
        let at = format!("#/{}", name.replace('~', "~0").replace('/', "~1"));
        match name.as_str() {
            "weight" => change.weight = whole(&at, value, &WEIGHTS, &mut faults),
            "dailyQuota" => change.daily_quota = Some(quota(&at, value, &mut faults)),
            "monthlyQuota" => change.monthly_quota = Some(quota(&at, value, &mut faults)),
            _ => faults.add(|| {
                let hint = closest(name, MEMBERS.into_iter());
                Fault::at(&at, "unknown", format!("is not a known member{hint}"))
            }),
        }
    }
    if faults.is_empty() { Ok(change) } else { Err(faults) }
}

fn quota(at: &str, value: &Value, faults: &mut Faults) -> Option<i64> {
    if value.is_null() { None } else { whole(at, value, &QUOTAS, faults) }
}

fn whole(at: &str, value: &Value, range: &RangeInclusive<i64>, faults: &mut Faults) -> Option<i64> {
    let (least, most) = (range.start(), range.end());
    let detail = format!("must be a whole number from {least} to {most}");
    match json::whole(value) {
        Some(number) if range.contains(&number) => return Some(number),
        _ if value.is_number() => faults.push(Fault::at(at, "range", detail)),
        _ => faults.push(Fault::at(at, "type", detail)),
    }
    None
}
