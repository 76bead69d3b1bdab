//! Notifications and their attempts as callers see them.
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgExecutor, PgTransaction, Postgres, QueryBuilder};
use uuid::Uuid;

use super::State;
use crate::{callers::CallerId, jobs::JobId};

/// Attempts shown of one notification: the last ones.
const MOST_ATTEMPTS: i64 = 10;

/// Which notifications of an endpoint. Empty or `None` conditions do not apply.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NotificationFilter {
    pub states: Vec<State>,
    pub kinds: Vec<String>,
    pub occurred_after: Option<DateTime<Utc>>,
    pub occurred_before: Option<DateTime<Utc>>,
}

impl NotificationFilter {
    /// Appends the conditions on `n`.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        if !self.states.is_empty() {
            sql.push(" and n.state = any(").push_bind(self.states.clone()).push(")");
        }
        if !self.kinds.is_empty() {
            sql.push(" and n.type = any(").push_bind(self.kinds.clone()).push(")");
        }
        // Ids follow the times of events to the millisecond, except those of replays, which are younger than their events.
        if let Some(after) = self.occurred_after {
            sql.push(" and n.id >= aftercall.uuid_floor(").push_bind(after);
            sql.push(") and n.occurred_at >= ").push_bind(after);
        }
        if let Some(before) = self.occurred_before {
            sql.push(" and n.occurred_at < ").push_bind(before);
        }
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Notification {
    pub id: Uuid,
    pub endpoint_id: Uuid,
    pub has_own_url: bool,
    pub job_id: Option<JobId>,
    pub about_endpoint: Option<Uuid>,
    pub kind: String,
    pub version: i32,
    pub nonce: String,
    pub replay_of: Option<Uuid>,
    pub occurred_at: DateTime<Utc>,
    pub state: State,
    /// When it is sent next, if it waits for its time.
    pub next_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Notification {
    /// The `webhook-id` of its requests.
    pub fn message_id(&self) -> String {
        let subject = match (self.job_id, self.about_endpoint) {
            (Some(id), _) => super::Subject::Job { id, version: self.version, completed_via: None },
            (None, about) => super::Subject::Endpoint(about.unwrap_or_default()),
        };
        let (kind, occurred_at) = (self.kind.clone(), self.occurred_at);
        super::Event { kind, subject, occurred_at }.message_id(&self.nonce)
    }
}

/// One attempt at sending a notification.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Attempt {
    pub notification_id: Uuid,
    pub number: i32,
    pub outcome: String,
    pub status: Option<i32>,
    pub latency_ms: Option<i32>,
    pub answer: Option<String>,
    pub ended_at: DateTime<Utc>,
}

const COLUMNS: &str = "select n.id, n.endpoint_id, n.lane <> n.endpoint_id as has_own_url, n.job_id, n.about_endpoint, \
    n.type as kind, n.version, n.nonce, n.replay_of, n.occurred_at, n.state, \
    case when n.state = 'pending' then n.due_at end as next_at, n.attempts, n.finished_at \
    from aftercall.notifications n";

/// Up to `limit` notifications of an endpoint, newest first, older than `before`.
pub async fn list(
    tx: &mut PgTransaction<'_>,
    endpoint_id: Uuid,
    filter: &NotificationFilter,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Notification>> {
    let mut sql = QueryBuilder::new(COLUMNS);
    sql.push(" where n.endpoint_id = ").push_bind(endpoint_id);
    filter.push(&mut sql);
    if let Some(id) = before {
        sql.push(" and n.id < ").push_bind(id);
    }
    sql.push(" order by n.id desc limit ").push_bind(limit);
    sql.build_query_as().fetch_all(&mut **tx).await
}

/// Up to `limit` notifications about a job, newest first, older than `before`.
pub async fn of_job(
    db: impl PgExecutor<'_>,
    job_id: JobId,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Notification>> {
    let mut sql = QueryBuilder::new(COLUMNS);
    sql.push(" where n.job_id = ").push_bind(job_id);
    if let Some(id) = before {
        sql.push(" and n.id < ").push_bind(id);
    }
    sql.push(" order by n.id desc limit ").push_bind(limit);
    sql.build_query_as().fetch_all(db).await
}

/// A notification of this caller.
pub async fn find(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    id: Uuid,
) -> sqlx::Result<Option<Notification>> {
    let mut sql = QueryBuilder::new(COLUMNS);
    sql.push(" where n.id = ").push_bind(id);
    sql.push(" and n.caller_id = ").push_bind(caller_id);
    sql.build_query_as().fetch_optional(db).await
}

/// The last attempts of each of these notifications, oldest first.
pub async fn attempts(db: impl PgExecutor<'_>, ids: &[Uuid]) -> sqlx::Result<Vec<Attempt>> {
    sqlx::query_as!(
        Attempt,
        r#"
        select a.notification_id, a.number, a.outcome, a.status, a.latency_ms, a.answer, a.ended_at
        from unnest($1::uuid[]) as g (id)
        cross join lateral (
            select * from aftercall.notification_attempts a
            where a.notification_id = g.id order by a.number desc limit $2
        ) a
        order by a.notification_id, a.number
        "#,
        ids,
        MOST_ATTEMPTS,
    )
    .fetch_all(db)
    .await
}
