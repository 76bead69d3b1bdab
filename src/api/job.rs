//! A job as its caller sees it.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::{Uuid, uuid};

use super::Links;
use crate::jobs::{self, Channel, Job, JobError, JobId, NotifyChoice, State};

/// A recording and its analysis, from submission to a final state.
///
/// Later versions may add members; ignore unknown ones.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "state": "completed", "version": 4,
    "externalId": "call-42", "tags": ["support"], "metadata": { "team": "north" },
    "request": {
        "contentUri": "https://media.example/calls/42.wav?token=***", "encoding": "Wav",
        "languageCode": "en-US", "audioType": "CallCenter", "insights": ["All"],
    },
    "attempts": 1, "completedVia": "webhook", "error": null,
    "createdAt": "2026-05-01T09:30:00.120Z", "submittedAt": "2026-05-01T09:30:00.480Z",
    "finishedAt": "2026-05-01T09:31:12.900Z", "deadlineAt": "2026-05-02T09:30:00.120Z",
    "links": Links::of(uuid!("0199f0c2-a4b8-7c3e-9a4d-5e6f70819203").into()),
}))]
pub struct JobView {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    pub state: State,
    /// Increases with every change; also in the `ETag`.
    pub version: i32,
    pub external_id: Option<String>,
    pub tags: Vec<String>,
    /// As you sent it.
    #[schema(value_type = Map<String, Value>)]
    pub metadata: Box<RawValue>,
    /// The request sent to the provider. Credentials and query values in `contentUri` are masked,
    /// and `content` is omitted.
    #[schema(value_type = Map<String, Value>)]
    pub request: Box<RawValue>,
    /// The uploaded recording; absent if the recording was not uploaded to `/v1/media`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Uuid>,
    /// Who is told about the job; absent if it is every endpoint of yours that wants an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifyChoice>,
    /// Position in the queue while the job is queued; not part of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueView>,
    /// Attempts to submit it to the provider so far.
    pub attempts: i64,
    /// How the result arrived.
    pub completed_via: Option<Channel>,
    /// Why the job failed, or why its last attempt did.
    pub error: Option<JobError>,
    pub created_at: DateTime<Utc>,
    pub submitted_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// When the result was deleted because of its age; absent unless it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_expired_at: Option<DateTime<Utc>>,
    /// When the job becomes `timed_out` if no result arrives.
    pub deadline_at: DateTime<Utc>,
    /// Not part of exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = Links)]
    pub links: Option<Links>,
}

/// The position of a queued job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueView {
    /// Number of submissions until this one is made, including itself.
    pub position: i64,
    /// Estimated time of its submission if nothing fails, given the provider's rate limit and
    /// penalties and the quotas of your app. After `deadlineAt`, the job will time out first.
    pub eta: DateTime<Utc>,
    pub reason: QueueReason,
    /// The provider's rate limit allows no calls before this time.
    pub blocked_until: Option<DateTime<Utc>>,
}

/// Why a job is still queued. `quota`: your app has used up its daily or monthly quota, or the jobs
/// ahead will; it continues when the quota resets. `backoff`: the last attempt failed, and the next
/// one follows later. `refused`: the provider rejects all submissions until an operator has fixed it.
/// `penalty`: the provider accepts no calls for a while. `rate_limit`: the provider's rate limit is
/// used up by the jobs ahead. `turn`: it is submitted next. Later versions may add reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueReason {
    Quota,
    Backoff,
    Refused,
    Penalty,
    RateLimit,
    Turn,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let links = Some(Links::of(job.id));
        Self { links, ..Self::exported(job) }
    }
}

impl JobView {
    /// A weak entity tag: the version identifies the state, not the bytes.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// Without the links, which follow from the id.
    pub fn exported(job: Job) -> Self {
        Self {
            id: job.id,
            state: job.state,
            version: job.version,
            external_id: job.external_id,
            tags: job.tags,
            metadata: job.metadata.0,
            request: jobs::masked(job.request.0),
            media: job.media_id,
            notify: job.notify.map(|choice| choice.0),
            queue: None,
            attempts: job.attempts,
            completed_via: job.completed_via,
            error: job.error.map(|error| error.0),
            created_at: job.created_at,
            submitted_at: job.submitted_at,
            finished_at: job.finished_at,
            result_expired_at: job.result_expired_at,
            deadline_at: job.deadline_at,
            links: None,
        }
    }
}
