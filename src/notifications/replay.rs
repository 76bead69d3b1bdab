//! Sends messages again: what an endpoint has missed, or anything, on request.
//!
//! `recover` resumes what was never accepted, with the same `webhook-id`. A replay is a notification of its own with a nonce,
//! so that a receiver that remembers ids does not ignore it; replays take no part in the order of a job's messages.
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgTransaction, Postgres, QueryBuilder};
use uuid::Uuid;

use super::NotificationFilter;

/// How many messages were taken up, and whether there are more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    pub messages: i64,
    pub has_more: bool,
}

impl Replayed {
    /// `found`: up to `limit + 1`.
    fn of(found: usize, limit: i64) -> Self {
        let found = i64::try_from(found).unwrap_or(i64::MAX);
        Self { messages: found.min(limit), has_more: found > limit }
    }
}

/// How many messages [`recover`] would take up.
pub async fn recoverable(
    db: impl PgExecutor<'_>,
    endpoint_id: Uuid,
    since: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Replayed> {
    let found = sqlx::query_scalar!(
        r#"
        select id from aftercall.notifications
        where endpoint_id = $1 and state in ('skipped', 'exhausted')
            and id >= aftercall.uuid_floor($2) and occurred_at >= $2
        order by id limit $3
        "#,
        endpoint_id,
        since,
        limit + 1,
    )
    .fetch_all(db)
    .await?;
    Ok(Replayed::of(found.len(), limit))
}

/// Makes up to `limit` messages due again that the endpoint has missed since then, oldest first, with all their retries.
/// Messages of one job keep their order.
pub async fn recover(
    tx: &mut PgTransaction<'_>,
    endpoint_id: Uuid,
    since: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Replayed> {
    let found = recoverable(&mut **tx, endpoint_id, since, limit).await?;
    let done = sqlx::query!(
        r#"
        update aftercall.notifications
        set state = 'pending', due_at = now(), finished_at = null, retries = 0
        where state in ('skipped', 'exhausted') and id = any (array(
            select id from aftercall.notifications
            where endpoint_id = $1 and state in ('skipped', 'exhausted')
                and id >= aftercall.uuid_floor($2) and occurred_at >= $2
            order by id limit $3 for update skip locked
        ))
        "#,
        endpoint_id,
        since,
        limit,
    )
    .execute(&mut **tx)
    .await?;
    let messages = i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
    Ok(Replayed { messages, ..found })
}

/// Sends one notification again, as a new one; returns its id.
pub async fn replay(
    tx: &mut PgTransaction<'_>,
    id: Uuid,
    nonce: &str,
) -> sqlx::Result<Option<Uuid>> {
    let mut sql = QueryBuilder::new(INSERT);
    sql.push_bind(nonce).push(FROM).push(" where n.id = ").push_bind(id).push(" returning id");
    sql.build_query_scalar().fetch_optional(&mut **tx).await
}

/// Sends up to `limit` final notifications of an endpoint again that match the filter, oldest first.
pub async fn replay_many(
    tx: &mut PgTransaction<'_>,
    endpoint_id: Uuid,
    filter: &NotificationFilter,
    nonce: &str,
    limit: i64,
) -> sqlx::Result<Replayed> {
    let found = replayable(tx, endpoint_id, filter, limit).await?;
    let mut sql = QueryBuilder::new(INSERT);
    sql.push_bind(nonce).push(FROM).push(" where n.id = any (array(");
    select(&mut sql, endpoint_id, filter, limit);
    sql.push("))");
    let done = sql.build().persistent(false).execute(&mut **tx).await?;
    let messages = i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
    Ok(Replayed { messages, ..found })
}

/// How many messages [`replay_many`] would take up.
pub async fn replayable(
    tx: &mut PgTransaction<'_>,
    endpoint_id: Uuid,
    filter: &NotificationFilter,
    limit: i64,
) -> sqlx::Result<Replayed> {
    let mut sql = QueryBuilder::new("");
    select(&mut sql, endpoint_id, filter, limit + 1);
    let found: Vec<Uuid> = sql.build_query_scalar().persistent(false).fetch_all(&mut **tx).await?;
    Ok(Replayed::of(found.len(), limit))
}

/// Unfinished replays of an endpoint, up to `limit`.
pub async fn unfinished_replays(
    db: impl PgExecutor<'_>,
    endpoint_id: Uuid,
    limit: i64,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!" from (
            select from aftercall.notifications n
            where n.lane = $1 and n.nonce <> '' and n.state = 'pending' limit $2
        ) replays
        "#,
        endpoint_id,
        limit,
    )
    .fetch_one(db)
    .await
}

const INSERT: &str = "insert into aftercall.notifications (id, lane, endpoint_id, caller_id, job_id, about_endpoint, \
    type, version, completed_via, occurred_at, replay_of, state, due_at, nonce) \
    select aftercall.uuid_v7(now()), n.lane, n.endpoint_id, n.caller_id, n.job_id, n.about_endpoint, n.type, n.version, \
    n.completed_via, n.occurred_at, coalesce(n.replay_of, n.id), 'pending', now(), ";

const FROM: &str = " from aftercall.notifications n";

/// Final originals: a replay is not replayed again beside its original.
fn select(
    sql: &mut QueryBuilder<Postgres>,
    endpoint_id: Uuid,
    filter: &NotificationFilter,
    limit: i64,
) {
    sql.push("select n.id from aftercall.notifications n where n.endpoint_id = ");
    sql.push_bind(endpoint_id).push(" and n.nonce = '' and n.finished_at is not null");
    filter.push(sql);
    sql.push(" order by n.id limit ").push_bind(limit);
}
