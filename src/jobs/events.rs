//! The timeline of a job. Its seq is the job's version: no gaps, because one statement bumps both.
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgTransaction};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Event {
    pub seq: i32,
    pub kind: String,
    pub detail: Value,
    pub created_at: DateTime<Utc>,
}

/// Adds an event that changes nothing but the version, such as a duplicate delivery.
pub async fn note(
    tx: &mut PgTransaction<'_>,
    job_id: Uuid,
    kind: &str,
    detail: &Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set version = version + 1 where id = $1 returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, $2, $3 from job
        "#,
        job_id,
        kind,
        detail as _,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Events after `after`, oldest first.
pub async fn timeline(
    db: impl PgExecutor<'_>,
    job_id: Uuid,
    after: i32,
    limit: i64,
) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as!(
        Event,
        r#"
        select seq, kind, detail as "detail: Value", created_at from aftercall.job_events
        where job_id = $1 and seq > $2 order by seq limit $3
        "#,
        job_id,
        after,
        limit,
    )
    .fetch_all(db)
    .await
}
