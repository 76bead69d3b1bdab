//! `GET /v1/admin/overview`: the sampled state of the service, for people without dashboards.
mod problems;
mod read;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use problems::age;
pub use read::read;

use crate::{
    api::{ApiError, ApiQuery, ApiState, problems::Problems},
    callers::Caller,
    http::NoParameters,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The state of the whole service, sampled every 15 seconds. The numbers are those of the sampled metrics; `lastDay` is
/// counted at each request.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "sampledAt": "2026-05-01T09:31:12.900Z",
    "problems": ["1 delivery in quarantine, the oldest for 2 h 10 min"],
    "jobs": {
        "queued": { "count": 15, "oldestSeconds": 90.5 },
        "submitting": { "count": 2, "oldestSeconds": 94.1 },
        "submitted": { "count": 37, "oldestSeconds": 241.0 },
        "unconfirmedAttempts": 0,
    },
    "lastDay": { "completed": 4107, "failed": 2 },
    "deadlines": { "nextSeconds": 82_800.0, "dueWithinHour": 0, "lateJobs": 0 },
    "queue": { "oldestDueSeconds": 12.3, "etaSeconds": 90.0 },
    "provider": {
        "rateLimit": 10, "rateRemaining": 3, "penaltySeconds": 0.0, "refusedAuthSeconds": 0.0,
        "refusedUpstreamSeconds": 0.0, "newestDriftAt": null,
    },
    "webhook": {
        "lastDeliveryAt": "2026-05-01T09:31:09.100Z", "quarantined": 1,
        "quarantineOldestSeconds": 7800.0,
        "selfTest": {
            "testedAt": "2026-05-01T09:28:00.000Z", "isUp": true, "seconds": 0.042, "fault": null,
        },
    },
    "notifications": { "backlog": 3, "oldestDueSeconds": 0.0, "stoppedEndpoints": 0 },
    "database": {
        "connections": 14, "connectionsMax": 100, "oldestTransactionSeconds": 0.0,
        "bytes": 1_288_490_188, "tables": [{ "table": "deliveries", "bytes": 734_003_200 }],
        "partitionDaysAhead": 92.0,
    },
    "retention": { "overdue": [{ "kind": "deliveries", "seconds": 0.0 }] },
}))]
pub struct Overview {
    /// When the numbers were sampled. Ages and times until something happens are as of then.
    pub sampled_at: DateTime<Utc>,
    /// What needs attention, the most urgent first; empty if all is well.
    pub problems: Vec<String>,
    pub jobs: Jobs,
    pub last_day: LastDay,
    pub deadlines: Deadlines,
    pub queue: Queue,
    pub provider: Provider,
    pub webhook: Webhook,
    pub notifications: Notifications,
    pub database: Database,
    pub retention: Retention,
}

/// Unfinished jobs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewJobs)]
pub struct Jobs {
    pub queued: InState,
    pub submitting: InState,
    pub submitted: InState,
    /// Attempts of which it is unknown whether the provider accepted them.
    pub unconfirmed_attempts: u64,
}

/// The jobs in one state.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewInState)]
pub struct InState {
    pub count: u64,
    /// Time since the oldest one was created; 0 if there is none.
    pub oldest_seconds: f64,
}

/// Jobs that ended in the last 24 hours, and since the hour (UTC) in which these began. Canceled ones do not count.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewLastDay)]
pub struct LastDay {
    pub completed: u64,
    /// Jobs that failed or timed out, those that the provider rejected as invalid left out.
    pub failed: u64,
}

/// Deadlines of unfinished jobs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewDeadlines)]
pub struct Deadlines {
    /// Time until the nearest one, negative once it has passed; null without unfinished jobs.
    pub next_seconds: Option<f64>,
    /// Jobs whose deadline is less than an hour away.
    pub due_within_hour: u64,
    /// Queued jobs that the provider's rate limit lets through only after their deadline.
    pub late_jobs: u64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewQueue)]
pub struct Queue {
    /// For how long the job that has waited longest has been due for submission; 0 if none is.
    pub oldest_due_seconds: f64,
    /// Time until the last queued job can be submitted at the provider's rate limit.
    pub eta_seconds: f64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewProvider)]
pub struct Provider {
    /// Calls per window, and how many of them are left.
    pub rate_limit: u64,
    pub rate_remaining: u64,
    /// Time until the penalty for exceeding the limit ends; 0 without one.
    pub penalty_seconds: f64,
    /// For how long every submission has been rejected because of Aftercall's credentials; 0 while it is not.
    pub refused_auth_seconds: f64,
    /// The same because of the URL, or something between Aftercall and the provider.
    pub refused_upstream_seconds: f64,
    /// When a difference from the provider's contract was last seen for the first time; null if there is none.
    pub newest_drift_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewWebhook)]
pub struct Webhook {
    /// When the last delivery was stored; null before the first.
    pub last_delivery_at: Option<DateTime<Utc>>,
    pub quarantined: u64,
    /// Age of the oldest quarantined delivery; 0 without one.
    pub quarantine_oldest_seconds: f64,
    /// The last self-test of `webhook.public_url`; null before the first.
    pub self_test: Option<SelfTest>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewSelfTest)]
pub struct SelfTest {
    pub tested_at: DateTime<Utc>,
    pub is_up: bool,
    /// Time until the response.
    pub seconds: f64,
    /// What was wrong; null if nothing was.
    pub fault: Option<String>,
}

/// Messages to the endpoints of all callers.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewNotifications)]
pub struct Notifications {
    /// Messages that are to be sent, counted up to 100,000.
    pub backlog: u64,
    /// For how long the message that has waited longest has been due; 0 if none is. Those to endpoints that failed last do
    /// not count.
    pub oldest_due_seconds: f64,
    /// Endpoints that were paused because they kept failing, or responded with 410.
    pub stopped_endpoints: u64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewDatabase)]
pub struct Database {
    /// Connections to the server, of all its databases.
    pub connections: u64,
    pub connections_max: u64,
    /// Age of the oldest open transaction.
    pub oldest_transaction_seconds: f64,
    pub bytes: u64,
    /// Tables by size.
    pub tables: Vec<TableSize>,
    /// Days until the first table has no partition for new rows.
    pub partition_days_ahead: Option<f64>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewTableSize)]
pub struct TableSize {
    pub table: String,
    /// With its indexes and partitions.
    pub bytes: u64,
}

/// What retention should have deleted already.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewRetention)]
pub struct Retention {
    pub overdue: Vec<Overdue>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OverviewOverdue)]
pub struct Overdue {
    /// deliveries, results, timeline, contents, jobs
    pub kind: String,
    /// For how long the oldest row has been due; 0 if none is.
    pub seconds: f64,
}

/// Show the state of the whole service: jobs, deadlines, queue, provider, webhook, notifications, database.
///
/// The numbers are at most 15 seconds old.
#[utoipa::path(
    get, path = "/v1/admin/overview", operation_id = "getOverview", tag = "admin",
    responses(
        (status = OK, body = Overview),
        Problems,
    ),
    security(("key" = ["admin:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    _caller: Caller,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<Overview>, ApiError> {
    Ok(Json(read(&state.db, &state.gates).await?))
}
