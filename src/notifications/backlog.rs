//! The outbox as a whole, for the metrics.
use sqlx::PgExecutor;

/// More messages than this are not counted.
const MOST: i64 = 100_000;

#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// Messages that are to be sent, up to 100,000.
    pub messages: i64,
    /// For how long the message that has waited longest has been due; 0 if none is. Only endpoints count that did not
    /// fail last and that no request is in progress to: what is due elsewhere waits for the endpoint.
    pub oldest_due_secs: f64,
    /// Endpoints that paused themselves, or were disabled by a 410.
    pub stopped_endpoints: i64,
}

/// Reads one index entry per lane, and counts the rest by the index of pending messages.
pub async fn backlog(db: impl PgExecutor<'_>) -> sqlx::Result<Backlog> {
    sqlx::query_as!(
        Backlog,
        r#"
        select (
            select count(*) from (
                select from aftercall.notifications where state = 'pending' limit $1
            ) pending
        ) as "messages!", coalesce((
            select extract(epoch from now() - min(oldest.due_at))::float8
            from aftercall.pending_lanes() as l (lane)
            join aftercall.endpoints e on e.id = l.lane and e.state = 'active' and e.failures = 0
            cross join lateral (
                select n.due_at from aftercall.notifications n
                where n.lane = l.lane and n.state = 'pending' order by n.due_at, n.id limit 1
            ) oldest
            where oldest.due_at <= now() and not exists (
                select from aftercall.notifications d where d.lane = l.lane and d.state = 'delivering'
            )
        ), 0) as "oldest_due_secs!", (
            select count(*) from aftercall.endpoints
            where deleted_at is null and pause_reason in ('failing', 'gone')
        ) as "stopped_endpoints!"
        "#,
        MOST,
    )
    .fetch_one(db)
    .await
}
