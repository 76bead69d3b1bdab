//! Deletes results that are older than they are kept.
use chrono::{DateTime, Utc};
use sqlx::PgTransaction;

use crate::{conversations, jobs::JobId};

/// Jobs with a stored result that ended before `cutoff`, locked: up to `limit`, by id, from `after` to `before`, both
/// excluded. Locked ones are skipped.
pub async fn lock_due(
    tx: &mut PgTransaction<'_>,
    cutoff: DateTime<Utc>,
    (after, before): (JobId, JobId),
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    sqlx::query_scalar!(
        r#"
        select r.job_id as "job_id: JobId"
        from aftercall.results r join aftercall.jobs j on j.id = r.job_id
        where r.job_id > $2 and r.job_id < least($3, aftercall.uuid_floor($1))
          and aftercall.is_due(j.finished_at, j.deadline_at, $1)
        order by r.job_id limit $4
        for update of j skip locked
        "#,
        cutoff,
        after as JobId,
        before as JobId,
        limit,
    )
    .fetch_all(&mut **tx)
    .await
}

/// Deletes the results of these jobs, with all their rows and the names of their speakers. Returns how many rows of
/// each table.
pub async fn remove(
    tx: &mut PgTransaction<'_>,
    jobs: &[JobId],
) -> sqlx::Result<[(&'static str, i64); 9]> {
    let (conversations, conversation_speakers) = conversations::remove(tx, jobs).await?;
    let row = sqlx::query!(
        r#"
        with utterance as (delete from aftercall.utterances where job_id = any($1) returning 1),
            speaker as (delete from aftercall.speakers where job_id = any($1) returning 1),
            name as (delete from aftercall.speaker_names where job_id = any($1) returning 1),
            speaker_insight as (
                delete from aftercall.speaker_insights where job_id = any($1) returning 1),
            question as (delete from aftercall.questions where job_id = any($1) returning 1),
            insight as (
                delete from aftercall.conversation_insights where job_id = any($1) returning 1),
            result as (delete from aftercall.results where job_id = any($1) returning 1)
        select (select count(*) from utterance) as "utterances!",
            (select count(*) from speaker) as "speakers!",
            (select count(*) from name) as "names!",
            (select count(*) from speaker_insight) as "speaker_insights!",
            (select count(*) from question) as "questions!",
            (select count(*) from insight) as "insights!",
            (select count(*) from result) as "results!"
        "#,
        jobs as &[JobId],
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok([
        ("results", row.results),
        ("utterances", row.utterances),
        ("speakers", row.speakers),
        ("speaker_names", row.names),
        ("speaker_insights", row.speaker_insights),
        ("questions", row.questions),
        ("conversation_insights", row.insights),
        ("conversations", conversations),
        ("conversation_speakers", conversation_speakers),
    ])
}
