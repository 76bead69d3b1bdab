//! Notifications: the outbox of messages to endpoints, and their attempts.
//!
//! A trigger on `job_events` writes a row for each endpoint that wants the event, in the transaction of the event. From
//! then on every change is a function of this folder. Messages of a lane (an endpoint, or the host of a job's own URL)
//! share a limit of concurrent requests; messages of one job in one lane are sent in the order of its versions.
//!
//! Locks: workers claim and sweep with `skip locked`, so they wait for nobody. [`finish`] waits for row locks, in the order of
//! ids, which only workers hold.
mod backlog;
mod claim;
mod expiry;
mod finish;
mod list;
mod replay;
mod sweep;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::jobs::{Channel, JobId};

pub use backlog::{Backlog, backlog};
pub use claim::{ClaimLimits, Claimed, claim, has_due, reserve};
pub use expiry::{count_due, overdue, remove};
pub use finish::{Arrival, Finished, Verdict, finish};
pub use list::{Attempt, Notification, NotificationFilter, attempts, find, list, of_job};
pub use replay::{
    Replayed, recover, recoverable, replay, replay_many, replayable, unfinished_replays,
};
pub use sweep::{Swept, announce_pauses, sweep};

/// What became of a notification. `waiting`: for an earlier message about the same job. `pending`: for its time.
/// `delivering`: is being sent. `delivered`: the endpoint responded with 2xx. `exhausted`: all attempts failed.
/// `skipped`: its endpoint was paused, disabled or deleted. `probe`: tests whether a paused endpoint is back.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize, utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = NotificationState)]
pub enum State {
    Waiting,
    Pending,
    Probe,
    Delivering,
    Delivered,
    Exhausted,
    Skipped,
}

/// What a notification tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The name of an event type, such as `job.completed`.
    pub kind: String,
    pub subject: Subject,
    pub occurred_at: DateTime<Utc>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Job { id: JobId, version: i32, completed_via: Option<Channel> },
    Endpoint(Uuid),
}

impl Event {
    /// The `webhook-id`: the same over retries and for all endpoints, another one for each replay.
    pub fn message_id(&self, nonce: &str) -> String {
        let id = match &self.subject {
            Subject::Job { id, version, .. } => format!("msg_{}_{version}", id.uuid().simple()),
            Subject::Endpoint(id) => {
                format!("msg_{}_{}", id.simple(), self.occurred_at.timestamp_millis())
            }
        };
        if nonce.is_empty() { id } else { format!("{id}_{nonce}") }
    }
}

/// The columns of an event, as the statements of this folder select them.
#[derive(Debug)]
struct EventColumns {
    kind: String,
    job_id: Option<JobId>,
    about_endpoint: Option<Uuid>,
    version: i32,
    completed_via: Option<Channel>,
    occurred_at: DateTime<Utc>,
}

impl From<EventColumns> for Event {
    fn from(row: EventColumns) -> Self {
        let EventColumns { kind, version, completed_via, occurred_at, .. } = row;
        let subject = match row.job_id {
            Some(id) => Subject::Job { id, version, completed_via },
            // A check of the table: either is set.
            None => Subject::Endpoint(row.about_endpoint.unwrap_or_default()),
        };
        Self { kind, subject, occurred_at }
    }
}
