//! Commands of callers about their jobs, each for any number of them. They lock the jobs in the order of their ids, so that
//! no two of them deadlock.
use std::time::Duration;

use super::{Change, JobId, finished::count_finished};
use crate::callers::CallerId;

/// Cancels the jobs: any state that is not final becomes `canceled`. Returns which of them were not final.
///
/// A result that arrives later is stored as a late delivery and changes nothing.
pub async fn cancel(
    tx: &mut Change<'_>,
    caller_id: CallerId,
    ids: &[JobId],
) -> sqlx::Result<Vec<JobId>> {
    let done = sqlx::query_scalar!(
        r#"
        with before as (
            select id, finished_at from aftercall.jobs
            where id = any($2) and caller_id = $1 order by id for update
        ), job as (
            update aftercall.jobs j set
                state = 'canceled', version = version + 1, lease_id = null, due_at = null,
                finished_at = now(), content_uri_sealed = substr(content_uri_sealed, 1, 0)
            from before where j.id = before.id and before.finished_at is null
            returning j.id, j.version
        ), content as (
            delete from aftercall.job_contents where job_id in (select id from job)
        ), event as (
            insert into aftercall.job_events (job_id, seq, kind)
            select id, version, 'canceled' from job
        )
        select id as "id: JobId" from job
        "#,
        caller_id as CallerId,
        ids as &[JobId],
    )
    .fetch_all(&mut ***tx)
    .await?;
    count_finished(tx, &done).await?;
    Ok(done)
}

/// Retries the jobs: those that are `failed` or `timed_out` are queued again, each with a new deadline and, once claimed, a
/// new attempt with a new token. Tokens of earlier attempts remain valid. Returns which they were.
pub async fn retry(
    tx: &mut Change<'_>,
    caller_id: CallerId,
    ids: &[JobId],
    deadline: Duration,
) -> sqlx::Result<Vec<JobId>> {
    let done = sqlx::query_scalar!(
        r#"
        with before as (
            select id, state, finished_at from aftercall.jobs
            where id = any($2) and caller_id = $1 order by id for update
        ), job as (
            update aftercall.jobs j set
                state = 'queued', version = version + 1, failures = 0, error = null,
                due_at = now(), finished_at = null, submitted_at = null,
                result_received_at = null, deadline_at = now() + make_interval(secs => $3)
            from before where j.id = before.id and before.state in ('failed', 'timed_out')
            returning j.id, j.version, before.finished_at as ended_at
        ), attempt as (
            update aftercall.attempts a set given_up_at = job.ended_at
            from job where a.job_id = job.id and a.given_up_at is null
        ), event as (
            insert into aftercall.job_events (job_id, seq, kind, detail)
            select id, version, 'queued', json_build_object('because', 'retry') from job
        )
        select id as "id: JobId" from job
        "#,
        caller_id as CallerId,
        ids as &[JobId],
        deadline.as_secs_f64(),
    )
    .fetch_all(&mut ***tx)
    .await?;
    if !done.is_empty() {
        tx.queues();
    }
    Ok(done)
}
