//! A notification as its caller sees it.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    jobs::JobId,
    notifications::{self, Attempt, Notification, State},
};

/// A message to an endpoint, and what became of it.
///
/// Later versions may add members; ignore unknown ones.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0199f0c3-b1a2-7d3e-8a4d-5e6f70819203", "webhookId": "msg_0199f0c2a4b87c3e9a4d5e6f70819203_4",
    "type": "job.completed", "endpointId": "0199f0c2-1111-7c3e-9a4d-5e6f70819203", "toJobUrl": false,
    "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "aboutEndpointId": null, "state": "delivered",
    "occurredAt": "2026-05-01T09:31:12.900Z", "nextAttemptAt": null, "finishedAt": "2026-05-01T09:31:13Z",
    "replayOf": null, "attemptCount": 1, "attempts": [{
        "number": 1, "outcome": "answered", "status": 200, "latencyMs": 34, "response": "ok",
        "endedAt": "2026-05-01T09:31:13Z",
    }],
}))]
pub struct NotificationView {
    pub id: Uuid,
    /// The `webhook-id` header of its requests, the same in all of them.
    #[schema(example = "msg_0199f0c2a4b87c3e9a4d5e6f70819203_4")]
    pub webhook_id: String,
    /// Type of the event.
    #[schema(example = "job.completed")]
    pub r#type: String,
    pub endpoint_id: Uuid,
    /// Whether it goes to the URL in `notify` of its job instead of that of the endpoint.
    pub to_job_url: bool,
    /// The job that the event is about, if it is about one.
    #[schema(value_type = Option<Uuid>)]
    pub job_id: Option<JobId>,
    /// The endpoint that the event is about, if it is about one.
    pub about_endpoint_id: Option<Uuid>,
    pub state: State,
    /// When the event happened.
    pub occurred_at: DateTime<Utc>,
    /// When it is sent next; null unless it is `pending`.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When its state became final.
    pub finished_at: Option<DateTime<Utc>>,
    /// The notification that this one replays.
    pub replay_of: Option<Uuid>,
    /// Attempts so far, including one in progress.
    pub attempt_count: i32,
    /// The last ten attempts that have ended, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// One request to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NotificationAttemptView)]
pub struct AttemptView {
    /// From 1.
    pub number: i32,
    /// `answered`, or why there was no response: `refused`, `not_resolved`, `unreachable`, `tls`, `timed_out`,
    /// `not_http`; `lost` if the process that was sending ended; `unsendable` if the endpoint was deleted.
    #[schema(example = "answered")]
    pub outcome: String,
    /// Status of the response.
    pub status: Option<i32>,
    pub latency_ms: Option<i32>,
    /// The beginning of the response's body, up to 2 KiB.
    pub response: Option<String>,
    pub ended_at: DateTime<Utc>,
}

impl NotificationView {
    /// With the attempts of each.
    pub async fn all(db: &PgPool, rows: Vec<Notification>) -> sqlx::Result<Vec<Self>> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut of: HashMap<Uuid, Vec<AttemptView>> = HashMap::new();
        for attempt in notifications::attempts(db, &ids).await? {
            of.entry(attempt.notification_id).or_default().push(attempt.into());
        }
        let view = |row: Notification| {
            let attempts = of.remove(&row.id).unwrap_or_default();
            Self { attempts, ..Self::from(row) }
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

impl From<Notification> for NotificationView {
    fn from(row: Notification) -> Self {
        Self {
            id: row.id,
            webhook_id: row.message_id(),
            r#type: row.kind,
            endpoint_id: row.endpoint_id,
            to_job_url: row.has_own_url,
            job_id: row.job_id,
            about_endpoint_id: row.about_endpoint,
            state: row.state,
            occurred_at: row.occurred_at,
            next_attempt_at: row.next_at,
            finished_at: row.finished_at,
            replay_of: row.replay_of,
            attempt_count: row.attempts,
            attempts: Vec::new(),
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(row: Attempt) -> Self {
        let Attempt { number, outcome, status, latency_ms, answer, ended_at, .. } = row;
        Self { number, outcome, status, latency_ms, response: answer, ended_at }
    }
}
