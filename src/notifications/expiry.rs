//! Deletes notifications because of their age, with their attempts.
use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// Deletes up to `limit` final notifications of events before `cutoff`, oldest first. Returns how many, and how many
/// attempts they had.
pub async fn remove(
    db: impl PgExecutor<'_>,
    cutoff: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<[(&'static str, i64); 2]> {
    let row = sqlx::query!(
        r#"
        with due as materialized (
            select id from aftercall.notifications
            where id < aftercall.uuid_floor($1) and finished_at < $1
            order by id limit $2 for update skip locked
        ), attempt as (
            delete from aftercall.notification_attempts
            where notification_id = any (array(select id from due)) returning 1
        ), notification as (
            delete from aftercall.notifications where id = any (array(select id from due)) returning 1
        )
        select (select count(*) from notification) as "notifications!",
            (select count(*) from attempt) as "attempts!"
        "#,
        cutoff,
        limit,
    )
    .fetch_one(db)
    .await?;
    Ok([("notifications", row.notifications), ("notification_attempts", row.attempts)])
}

/// How many rows of each table are older than this, and final.
pub async fn count_due(
    db: impl PgExecutor<'_>,
    cutoff: DateTime<Utc>,
) -> sqlx::Result<[(&'static str, i64); 2]> {
    let row = sqlx::query!(
        r#"
        with due as materialized (
            select id from aftercall.notifications
            where id < aftercall.uuid_floor($1) and finished_at < $1
        )
        select (select count(*) from due) as "notifications!", (
            select count(*) from aftercall.notification_attempts a join due on due.id = a.notification_id
        ) as "attempts!"
        "#,
        cutoff,
    )
    .fetch_one(db)
    .await?;
    Ok([("notifications", row.notifications), ("notification_attempts", row.attempts)])
}

/// For how many seconds the oldest notification has been due, for an age in seconds.
pub async fn overdue(db: impl PgExecutor<'_>, age: f64) -> sqlx::Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"
        select extract(epoch from now() - finished_at - make_interval(secs => $1))::float8 as "seconds!"
        from aftercall.notifications
        where id < aftercall.uuid_floor(now() - make_interval(secs => $1))
            and finished_at < now() - make_interval(secs => $1)
        order by id limit 1
        "#,
        age,
    )
    .fetch_optional(db)
    .await
}
