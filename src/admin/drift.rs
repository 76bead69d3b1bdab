//! `GET /v1/admin/drift`.
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{ApiError, ApiQuery, ApiState, problems::Problems},
    callers::Caller,
    drift::{self, Drift, Kind},
    http::NoParameters,
    jobs::JobId,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// All differences between the provider's payloads and its contract.
#[derive(Debug, Serialize, ToSchema)]
struct DriftsView {
    data: Vec<DriftView>,
}

/// One difference between the provider's payloads and the known contract. Never contains a value from
/// a payload.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "kind": "unknown_member", "path": "/response/utteranceInsights/*", "name": "channel",
    "sample": "number", "deliveries": 12, "firstSeen": "2026-05-01T09:31:12.900Z",
    "lastSeen": "2026-05-02T16:04:51.017Z", "exampleJobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203",
}))]
struct DriftView {
    kind: Kind,
    /// Path in the body: `*` stands for any index, and the name of a known insight for that
    /// insight's index.
    #[schema(example = "/response/speakerInsights/insights/Pace/values/*")]
    path: String,
    /// Name of the insight or member; for an unexpected type, the type. `(unnamed)` if it does not
    /// look like a name, empty for a value.
    name: String,
    /// What was first seen there, with JSON types in place of values; null if unknown.
    #[schema(value_type = Value)]
    sample: Value,
    /// Number of deliveries with this difference; for `other`, the number of occurrences that were
    /// not listed because there were too many kinds.
    deliveries: i64,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    /// The job in which it was last seen; the job may have been deleted since.
    #[schema(value_type = Uuid)]
    example_job_id: JobId,
}

impl From<Drift> for DriftView {
    fn from(drift: Drift) -> Self {
        Self {
            kind: drift.kind,
            path: drift.path,
            name: drift.name,
            sample: drift.sample,
            deliveries: drift.deliveries,
            first_seen: drift.first_seen_at,
            last_seen: drift.last_seen_at,
            example_job_id: drift.example_job_id,
        }
    }
}

/// List differences between the provider's payloads and its contract, newest first.
///
/// The list lags by a few seconds. It has at most 500 entries and one that sums up the rest; an
/// entry is deleted after 90 days without another occurrence.
#[utoipa::path(
    get, path = "/v1/admin/drift", operation_id = "listDrift", tag = "admin",
    responses(
        (status = OK, body = DriftsView),
        Problems,
    ),
    security(("key" = ["admin:read"])),
)]
async fn list(
    State(state): State<ApiState>,
    _caller: Caller,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<DriftsView>, ApiError> {
    let found = drift::list(&state.db).await?;
    Ok(Json(DriftsView { data: found.into_iter().map(DriftView::from).collect() }))
}
