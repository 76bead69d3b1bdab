//! Jobs come into being.
use std::time::Duration;

use serde_json::{Map, Value};
use sqlx::PgTransaction;
use uuid::Uuid;

#[derive(Debug)]
pub struct NewJob<'a> {
    pub id: Uuid,
    pub caller_id: Uuid,
    pub external_id: Option<&'a str>,
    pub tags: &'a [String],
    pub metadata: &'a Map<String, Value>,
    /// What the provider will be sent, without `content`.
    pub request: &'a Map<String, Value>,
    /// The recording itself, in base64.
    pub content: Option<&'a str>,
    pub deadline: Duration,
}

/// Inserts the job as `queued` and due at once.
pub async fn enqueue(tx: &mut PgTransaction<'_>, new: &NewJob<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with job as (
            insert into aftercall.jobs
                (id, caller_id, external_id, tags, metadata, request, due_at, deadline_at)
            values ($1, $2, $3, $4, $5::text::json, $6::text::json, now(),
                now() + make_interval(secs => $7))
            returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind) select id, version, 'queued' from job
        "#,
        new.id,
        new.caller_id,
        new.external_id,
        new.tags,
        text(new.metadata),
        text(new.request),
        new.deadline.as_secs_f64(),
    )
    .execute(&mut **tx)
    .await?;
    if let Some(content) = new.content {
        sqlx::query!(
            "insert into aftercall.job_contents (job_id, content) values ($1, $2)",
            new.id,
            content,
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// JSON as text, so that Postgres keeps the caller's order of members: the driver would send jsonb.
fn text(members: &Map<String, Value>) -> String {
    Value::Object(members.clone()).to_string()
}
