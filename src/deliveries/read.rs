//! Deliveries as operators see them, whosever job they are about.
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::Outcome;
use crate::jobs::CompletedVia;

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Empty: all outcomes.
    pub outcomes: Vec<Outcome>,
    pub job_id: Option<Uuid>,
}

/// A delivery without its bytes.
#[derive(Debug)]
pub struct DeliveryRow {
    pub id: Uuid,
    pub job_id: Uuid,
    pub caller: String,
    pub attempt: i32,
    pub via: CompletedVia,
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub headers: Json<Map<String, Value>>,
    pub body_sha: Vec<u8>,
    pub body_bytes: i32,
    pub received_at: DateTime<Utc>,
}

/// Up to `limit` deliveries, newest first, older than `before`.
pub async fn list(
    db: impl PgExecutor<'_>,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<DeliveryRow>> {
    sqlx::query_as!(
        DeliveryRow,
        r#"
        select d.id, d.job_id, c.name as caller, d.attempt, d.via as "via: CompletedVia",
            d.outcome as "outcome: Outcome", d.reason, d.headers as "headers: Json<Map<String, Value>>",
            d.body_sha, d.body_bytes, d.received_at
        from aftercall.deliveries d
        join aftercall.jobs j on j.id = d.job_id
        join aftercall.callers c on c.id = j.caller_id
        where ($1::uuid is null or d.id < $1)
          and (cardinality($2::text[]) = 0 or d.outcome = any($2))
          and ($3::uuid is null or d.job_id = $3)
        order by d.id desc
        limit $4
        "#,
        before,
        &filter.outcomes as _,
        filter.job_id,
        limit,
    )
    .fetch_all(db)
    .await
}
