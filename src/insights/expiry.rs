//! Deletes results that are older than they are kept.
use chrono::{DateTime, Utc};
use sqlx::PgTransaction;

use crate::{
    conversations,
    jobs::{Change, JobId},
};

/// Jobs with a stored result that ended before `cutoff`, locked: up to `limit`, by id, from `after` to `before`, both
/// excluded. Locked ones are skipped.
pub async fn lock_due(
    tx: &mut PgTransaction<'_>,
    cutoff: DateTime<Utc>,
    (after, before): (JobId, JobId),
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    let mut after = after;
    loop {
        // Apart from the lock, since results may be on other servers than jobs.
        let stored = sqlx::query_scalar!(
            r#"
            select job_id as "job_id: JobId" from aftercall.results
            where job_id > $2 and job_id < least($3, aftercall.uuid_floor($1))
            order by job_id limit $4
            "#,
            cutoff,
            after as JobId,
            before as JobId,
            limit * 10,
        )
        .fetch_all(&mut **tx)
        .await?;
        let Some(last) = stored.last() else { return Ok(Vec::new()) };
        after = *last;
        let locked = sqlx::query_scalar!(
            r#"
            select id as "id: JobId" from aftercall.jobs
            where id = any($2) and aftercall.is_due(finished_at, deadline_at, $1)
            order by id limit $3
            for update skip locked
            "#,
            cutoff,
            &stored as &[JobId],
            limit,
        )
        .fetch_all(&mut **tx)
        .await?;
        if !locked.is_empty() {
            return Ok(locked);
        }
    }
}

/// Deletes the results of these jobs, with all their rows and the names of their speakers. Returns how many rows of
/// each table.
pub async fn remove(tx: &mut Change<'_>, jobs: &[JobId]) -> sqlx::Result<[(&'static str, i64); 9]> {
    tx.changes_results(jobs);
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
    .fetch_one(&mut ***tx)
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
