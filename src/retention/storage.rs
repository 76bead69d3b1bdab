//! `GET /v1/admin/storage`: what the monthly partitions hold and when they go, and what the next run would delete.
use std::time::Duration;

use axum::{Json, extract::State};
use chrono::{DateTime, Months, Utc};
use serde::Serialize;
use sqlx::{PgExecutor, PgPool};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Kind, Plan, plan};
use crate::{
    api::{ApiError, ApiQuery, ApiState, problems::Problems},
    callers::Caller,
    config::RetentionSettings,
    db,
    http::NoParameters,
    partitions,
};

/// How long counting what is due may take: the counts are for people who look at a page.
const COUNTING: Duration = Duration::from_secs(5);

/// The operation with which operators look at what is stored.
pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// A monthly partition of a table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredMonth {
    pub table: String,
    pub partition: String,
    pub starts_at: DateTime<Utc>,
    /// Excluded.
    pub ends_at: DateTime<Utc>,
    /// With its indexes and long values.
    pub bytes: i64,
    /// Null until Postgres has analyzed the partition.
    pub estimated_rows: Option<i64>,
    /// Earliest time at which all of its rows are due; null if they are kept for ever.
    pub goes_at: Option<DateTime<Utc>>,
}

/// All partitions, by table and month.
pub async fn months(
    db: impl PgExecutor<'_>,
    settings: &RetentionSettings,
) -> sqlx::Result<Vec<StoredMonth>> {
    let month = |partition: partitions::Partition| {
        let age = Kind::of_table(&partition.parent).and_then(|(kind, _)| kind.age(settings));
        StoredMonth {
            // Last month's partitions always stay.
            goes_at: age.map(|age| {
                let ends_at = partition.ends_at;
                (ends_at + age).max(ends_at + Months::new(1))
            }),
            estimated_rows: Some(partition.estimated_rows).filter(|rows| *rows >= 0),
            table: partition.parent,
            partition: partition.name,
            starts_at: partition.starts_at,
            ends_at: partition.ends_at,
            bytes: partition.bytes,
        }
    };
    Ok(partitions::list(db).await?.into_iter().map(month).collect())
}

/// What is stored, how long it is kept, and what is due.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "partitions": [{
        "table": "deliveries", "partition": "deliveries_y2026m05", "startsAt": "2026-05-01T00:00:00Z",
        "endsAt": "2026-06-01T00:00:00Z", "bytes": 734_003_200, "estimatedRows": 41_200,
        "goesAt": "2026-08-30T00:00:00Z",
    }],
    "ages": [{ "kind": "deliveries", "seconds": 7_776_000 }],
    "next": {
        "rows": { "deliveries": 1203 },
        "partitions": [{ "name": "deliveries_y2026m01", "bytes": 512_000_000 }],
    },
}))]
struct StorageView {
    partitions: Vec<StoredMonth>,
    ages: Vec<KeptAge>,
    /// What the next run of retention would delete, which is within the hour; null if counting it takes too long.
    #[schema(required)]
    next: Option<Plan>,
}

/// How long something is kept after the end of its job.
#[derive(Debug, Serialize, ToSchema)]
struct KeptAge {
    /// As in the settings: `retention.<kind>`.
    #[schema(example = "deliveries")]
    kind: &'static str,
    /// Null if it is kept for ever.
    seconds: Option<u64>,
}

/// Show what is stored: the monthly partitions, how large they are, when they go, and what is due.
///
/// The same as `aftercall partitions` and `aftercall retention --dry-run` print.
#[utoipa::path(
    get, path = "/v1/admin/storage", operation_id = "getStorage", tag = "admin",
    responses(
        (status = OK, body = StorageView),
        Problems,
    ),
    security(("key" = ["admin:read"])),
    extensions(("x-rate-weight" = json!(10))),
)]
async fn show(
    State(state): State<ApiState>,
    _caller: Caller,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<StorageView>, ApiError> {
    let settings = &state.retention;
    let partitions = months(&state.db, settings).await?;
    let ages = Kind::ALL.map(|kind| KeptAge {
        kind: kind.name(),
        seconds: kind.age(settings).map(|age| age.as_secs()),
    });
    let next = planned_in_time(&state.db, settings).await?;
    Ok(Json(StorageView { partitions, ages: ages.into(), next }))
}

/// What is due; `None` if there is too much to count.
async fn planned_in_time(db: &PgPool, settings: &RetentionSettings) -> sqlx::Result<Option<Plan>> {
    let mut tx = db::begin(db).await?;
    db::limit_statements(&mut tx, COUNTING).await?;
    match tokio::time::timeout(COUNTING, plan::plan(&mut tx, settings)).await {
        Ok(Err(error)) if db::is_canceled(&error) => Ok(None),
        Ok(planned) => planned.map(Some),
        Err(_) => Ok(None),
    }
}
