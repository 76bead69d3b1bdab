//! Deliveries as operators see them, without their content.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    deliveries::{DeliveryRow, Outcome},
    http,
    jobs::{Channel, JobId},
};

/// One request to a webhook URL, or one final response of the provider's status endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0199f0c4-1b2c-7d3e-8f40-516273849506", "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203",
    "caller": "support-desk", "attempt": 1, "via": "webhook", "outcome": "malformed",
    "reason": "EOF while parsing a value at line 1 column 0", "quarantined": true, "replayOf": null,
    "headers": { "content-type": "application/json" }, "bodyBytes": 0,
    "bodySha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "receivedAt": "2026-05-01T09:31:12.900Z",
}))]
pub struct DeliveryView {
    pub id: Uuid,
    #[schema(value_type = Uuid)]
    pub job_id: JobId,
    /// The caller that owns the job.
    pub caller: String,
    /// The attempt whose token or provider job it belongs to.
    pub attempt: i32,
    pub via: Channel,
    pub outcome: Outcome,
    /// Why it was not accepted.
    pub reason: Option<String>,
    /// Malformed or mismatched, and not resolved by a replay; needs an operator's attention.
    pub quarantined: bool,
    /// If `via` is `replay`: the delivery that was replayed.
    pub replay_of: Option<Uuid>,
    /// The request headers that were stored.
    pub headers: Map<String, Value>,
    /// Size of its body as received.
    pub body_bytes: i32,
    /// SHA-256 of its body as received, in hexadecimal.
    pub body_sha256: String,
    pub received_at: DateTime<Utc>,
}

impl From<DeliveryRow> for DeliveryView {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.id,
            job_id: row.job_id,
            caller: row.caller,
            attempt: row.attempt,
            via: row.via,
            outcome: row.outcome,
            reason: row.reason,
            quarantined: row.quarantined,
            replay_of: row.replay_of,
            headers: row.headers.0,
            body_bytes: row.body_bytes,
            body_sha256: http::hex(&row.body_sha),
            received_at: row.received_at,
        }
    }
}
