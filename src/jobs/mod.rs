//! Jobs and their attempts: their types, and every statement that changes one.
//!
//! This folder is the state diagram. Each transition is one guarded statement that reports whether it applied,
//! increments the version, and writes the event with that number. Final states do not change, except that a late result
//! may complete a job whose end was only presumed (`aftercall.awaits_result`).
mod attempt_outcome;
mod attempt_urls;
mod attempts;
mod backlog;
mod change;
mod claim;
mod command;
mod count;
mod dedupe;
mod event_kind;
mod events;
mod expiry;
mod export;
mod filter;
mod finish;
mod finished;
mod hot;
mod id;
pub mod idempotency;
mod list;
mod new;
mod overdue;
mod queue;
mod read;
mod recording;
mod suggest;
mod token;
mod url_expiry;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

pub use attempt_outcome::{RetryReason, mark_submitted, mark_unknown, refuse, release};
pub use attempt_urls::{MediaUrl, WebhookUrl};
pub use attempts::{Attempt, Surplus, count_surplus, given_up, matching_attempts, matching_media};
pub use backlog::{Backlog, StateBacklog, backlog, late};
pub use change::{Announcer, Change};
pub use claim::{Claimed, claim, has_due};
pub use command::{cancel, retry};
pub use count::{MOST_COUNTED, StateCounts, count_after, count_by_state, counting};
pub use dedupe::{RecordingSha, lock_recordings, same_recording};
pub use event_kind::EventKind;
pub use events::{Note, TimelineEvent, note, timeline};
pub use expiry::{
    contents_overdue, count_due, due_timelines, expire_results, lock_due, lock_due_contents,
    overdue, remove, remove_contents, remove_timelines, with_recording,
};
pub use export::JobExport;
pub use filter::{JobFilter, Period};
pub use finish::{Completion, Failure, JobStanding, complete, fail, lock};
pub use hot::{HotResult, HotResults, RESULTS_CHANNEL, ReadMark};
pub use id::JobId;
pub use list::{ListPosition, ids, list, statement};
pub use new::{JobNotify, NewJob, enqueue, enqueue_all, enqueue_alone};
pub use overdue::{
    PollTarget, abandon_leases, claim_poll, expire, has_polls, lose_attempt, pass_over, poll_later,
    poll_soon, requeue_unconfirmed,
};
pub use queue::{QueuePlace, QuotaReset, place, place_of_next, quota_reset};
pub use read::{find, finished, lock_own, owner};
pub use recording::{
    RecordingUrl, UrlFault, comparable, delete_urls, masked, masked_uri, recording_urls,
    replace_url, seal_stored,
};
pub use suggest::{
    Suggestion, prefix_end, suggest_external_ids, suggest_tags, suggesting_external_ids,
    suggesting_tags,
};
pub use token::Token;
pub use url_expiry::url_expiry;

/// The state of a job. `queued`: waits to be submitted. `submitting`: is being submitted, or may
/// have been; whether the provider accepted it is not yet known. `submitted`: the provider accepted
/// it, and its result arrives on the webhook. `completed`: the result is stored. `failed`: the
/// provider rejected it, could not analyze it, or never confirmed it; in the last case, a late
/// result still completes it. `timed_out`: no result arrived before the deadline; a late result
/// still completes it. `canceled`: its caller canceled it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize, utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum State {
    Queued,
    Submitting,
    Submitted,
    Completed,
    Failed,
    TimedOut,
    Canceled,
}

impl State {
    /// Whether a failure may still change the job.
    pub fn awaits_failure(self) -> bool {
        matches!(self, Self::Queued | Self::Submitting | Self::Submitted)
    }

    /// Whether nothing more happens to the job unless its caller asks for it.
    pub fn is_final(self) -> bool {
        !self.awaits_failure()
    }

    /// As written in JSON and in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Canceled => "canceled",
        }
    }
}

/// The channel through which a result or a delivery arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, Serialize, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = CompletedVia)]
pub enum Channel {
    Webhook,
    Poll,
    Replay,
}

impl Channel {
    /// As written in JSON and in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Poll => "poll",
            Self::Replay => "replay",
        }
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Job {
    pub id: JobId,
    pub external_id: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Json<Box<RawValue>>,
    pub request: Json<Box<RawValue>>,
    /// The uploaded recording.
    pub media_id: Option<Uuid>,
    pub state: State,
    pub version: i32,
    pub completed_via: Option<Channel>,
    pub error: Option<Json<JobError>>,
    pub created_at: DateTime<Utc>,
    pub deadline_at: DateTime<Utc>,
    pub submitted_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// When its result was deleted because of its age.
    pub result_expired_at: Option<DateTime<Utc>>,
    /// `None`: all endpoints of the caller that want an event are told.
    pub notify: Option<Json<NotifyChoice>>,
    /// Attempts to submit it to the provider so far.
    pub attempts: i64,
}

impl Job {
    pub fn has_result(&self) -> bool {
        self.state == State::Completed && self.result_expired_at.is_none()
    }
}

/// Who is told about a job, by the request that created it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotifyChoice {
    /// Only this endpoint, or `url` with its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Uuid>,
    /// Only this URL; credentials and query values in it are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `true`: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<bool>,
}

/// Why a job failed, or why its last attempt did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    pub class: ErrorClass,
    /// The provider's own code, such as `CAI-101`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
    /// The request member the provider objects to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Further errors in the same response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<UpstreamError>,
    /// For a timeout: the last error before it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub cause: Option<Box<JobError>>,
}

/// One error as the provider reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamError {
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

/// The kind of error. `validation`: the provider rejected the request. `auth`: the provider rejects
/// Aftercall's credentials, or they lack a permission. `upstream`: the provider is down or
/// unreachable, or something between Aftercall and the provider responds instead. `analysis`: the
/// provider accepted the job and reported that it failed. `timeout`: no result in time. Later
/// versions may add classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    Validation,
    Auth,
    Upstream,
    Analysis,
    Timeout,
}

impl ErrorClass {
    /// As written in JSON and in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Auth => "auth",
            Self::Upstream => "upstream",
            Self::Analysis => "analysis",
            Self::Timeout => "timeout",
        }
    }
}

impl JobError {
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        let retryable = !matches!(class, ErrorClass::Validation | ErrorClass::Analysis);
        let message = message.into();
        Self {
            class,
            code: None,
            message,
            parameter: None,
            retryable,
            others: Vec::new(),
            cause: None,
        }
    }

    /// The first of the provider's errors, with the rest in `others`; `otherwise` is the message when there is none or
    /// it is empty.
    pub fn upstream(class: ErrorClass, errors: Vec<UpstreamError>, otherwise: &str) -> Self {
        let mut errors = errors.into_iter();
        let Some(first) = errors.next() else { return Self::new(class, otherwise) };
        let message = if first.message.is_empty() { otherwise.to_owned() } else { first.message };
        Self {
            code: Some(first.code),
            parameter: first.parameter,
            others: errors.collect(),
            ..Self::new(class, message)
        }
    }
}
