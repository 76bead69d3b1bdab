//! Endpoints as their callers see them.
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    egress::{Outcome, Secret, Sent},
    endpoints::{Endpoint, EndpointState, EventType, Include, PauseReason},
};

/// A URL at which the caller is notified.
///
/// Later versions may add members; ignore unknown ones.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0199f0d3-5c1e-7a42-b6f0-2d8c4e917a30", "url": "https://crm.example/hooks/aftercall?key=***",
    "events": ["job.completed", "job.failed"], "include": [], "description": "Updates the case",
    "state": "active", "pauseReason": null, "pausedAt": null, "failures": 0, "failingSince": null,
    "lastSuccessAt": "2026-05-01T09:31:13.120Z", "rotatingUntil": null,
    "createdAt": "2026-04-12T08:00:00.000Z", "updatedAt": "2026-04-12T08:00:00.000Z",
}))]
pub struct EndpointView {
    id: Uuid,
    /// Credentials and query values are masked.
    url: String,
    events: Vec<EventType>,
    /// What messages contain beyond the minimum.
    include: Vec<Include>,
    description: Option<String>,
    state: EndpointState,
    /// `by_caller`: paused by you. `failing`: paused because it failed for days. `gone`: its server responded with 410.
    pause_reason: Option<PauseReason>,
    paused_at: Option<DateTime<Utc>>,
    /// Consecutive failed deliveries.
    failures: i32,
    failing_since: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    /// Until when messages are also signed with the previous secret.
    rotating_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Endpoint> for EndpointView {
    fn from(endpoint: Endpoint) -> Self {
        let include = |part: &&Include| endpoint.include.iter().any(|name| name == part.name());
        Self {
            id: endpoint.id,
            url: endpoint.url_shown,
            events: endpoint.events.iter().filter_map(|name| EventType::named(name)).collect(),
            include: Include::ALL.iter().filter(include).copied().collect(),
            description: endpoint.description,
            state: endpoint.state,
            pause_reason: endpoint.pause_reason,
            paused_at: endpoint.paused_at,
            failures: endpoint.failures,
            failing_since: endpoint.failing_since,
            last_success_at: endpoint.last_success_at,
            rotating_until: endpoint.rotating_until,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

/// An endpoint with its new secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199f0d3-5c1e-7a42-b6f0-2d8c4e917a30", "url": "https://crm.example/hooks/aftercall?key=***",
    "events": ["job.completed", "job.failed"], "include": [], "description": "Updates the case",
    "state": "active", "pauseReason": null, "pausedAt": null, "failures": 0, "failingSince": null,
    "lastSuccessAt": null, "rotatingUntil": null,
    "createdAt": "2026-04-12T08:00:00.000Z", "updatedAt": "2026-04-12T08:00:00.000Z",
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
}))]
pub struct EndpointWithSecret {
    #[serde(flatten)]
    endpoint: EndpointView,
    /// Verifies messages (Standard Webhooks 1.0.0). Shown only in this response.
    secret: String,
}

impl EndpointWithSecret {
    pub fn new(endpoint: EndpointView, secret: &Secret) -> Self {
        let secret = secret.reveal().expose_secret().to_owned();
        Self { endpoint, secret }
    }
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "messageId": "msg_0199f0d37b6a7c10a1f2e3d4c5b6a798", "succeeded": false, "status": 301, "latencyMs": 84,
    "response": "Moved", "error": null,
}))]
pub struct TestView {
    /// The `webhook-id` of the message.
    message_id: String,
    /// Only a 2xx is a success; redirects are not followed.
    succeeded: bool,
    /// Of the response; null if there was none.
    status: Option<u16>,
    /// Time until the response was there, or until the failure.
    latency_ms: u64,
    /// The first 2 KiB of the response's body.
    response: Option<String>,
    /// Why there was no response.
    error: Option<TestError>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TestError {
    /// `refused`, `not_resolved`, `unreachable`, `tls`, `timed_out` or `not_http`.
    code: &'static str,
    /// For people; names the setting that would allow a refused address.
    detail: String,
}

impl TestView {
    pub fn new(message_id: String, sent: Sent) -> Self {
        let succeeded = sent.is_success();
        let latency_ms = u64::try_from(sent.latency.as_millis()).unwrap_or(u64::MAX);
        let (status, response, error) = match sent.outcome {
            Outcome::Answered(answer) => (Some(answer.status.as_u16()), Some(answer.start), None),
            Outcome::Failed(error) => {
                let detail = error.to_string();
                (None, None, Some(TestError { code: error.kind(), detail }))
            }
        };
        Self { message_id, succeeded, status, latency_ms, response, error }
    }
}
