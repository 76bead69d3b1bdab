//! The timeline of a job. An event's seq is the job's version; one statement sets both, so there
//! are no gaps.
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;

use super::{Change, EventKind, JobId};

#[derive(Debug, Clone)]
pub struct TimelineEvent {
    pub seq: i32,
    /// The name of an [`EventKind`], perhaps one of a newer version.
    pub kind: String,
    pub detail: Value,
    pub created_at: DateTime<Utc>,
}

/// An event that changes only the version, such as a duplicate delivery.
#[derive(Debug, Clone)]
pub struct Note {
    pub job_id: JobId,
    pub kind: EventKind,
    pub detail: Value,
}

/// Adds the notes in order; several may be about one job.
pub async fn note(tx: &mut Change<'_>, notes: &[Note]) -> sqlx::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let ids: Vec<JobId> = notes.iter().map(|note| note.job_id).collect();
    let kinds: Vec<&str> = notes.iter().map(|note| note.kind.name()).collect();
    let details: Vec<String> = notes.iter().map(|note| note.detail.to_string()).collect();
    sqlx::query!(
        r#"
        with note as (
            select job_id, kind, detail, row_number() over (partition by job_id order by n) as nth,
                count(*) over (partition by job_id) as of_job
            from unnest($1::uuid[], $2::text[], $3::text[])
                with ordinality as given (job_id, kind, detail, n)
        ), job as (
            update aftercall.jobs j set version = version + note.of_job::int
            from note where j.id = note.job_id and note.nth = 1
            returning j.id, j.version - note.of_job as before
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select note.job_id, job.before + note.nth, note.kind, note.detail::json
        from note join job on job.id = note.job_id
        order by note.nth -- and so do their positions rise
        "#,
        &ids as &[JobId],
        &kinds as &[&str],
        &details,
    )
    .execute(&mut ***tx)
    .await?;
    Ok(())
}

/// Events after `after`, oldest first. The event of surplus deliveries shows their current count.
pub async fn timeline(
    db: impl PgExecutor<'_>,
    job_id: JobId,
    after: i32,
    limit: i64,
) -> sqlx::Result<Vec<TimelineEvent>> {
    sqlx::query_as!(
        TimelineEvent,
        r#"
        select e.seq, e.kind, e.created_at, coalesce((
            select json_build_object('attempt', a.number, 'via', 'webhook', 'outcome', 'surplus',
                'deliveries', a.surplus, 'bytes', a.surplus_bytes,
                'lastSha256', encode(a.surplus_sha, 'hex'))
            from aftercall.attempts a
            where e.kind = 'delivery' and e.detail ->> 'outcome' = 'surplus'
              and a.job_id = e.job_id and a.number = (e.detail ->> 'attempt')::int
            ), e.detail) as "detail!: Value"
        from aftercall.job_events e
        where e.job_id = $1 and e.seq > $2 order by e.seq limit $3
        "#,
        job_id as JobId,
        after,
        limit,
    )
    .fetch_all(db)
    .await
}
