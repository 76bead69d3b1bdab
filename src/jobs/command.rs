//! Commands of callers about their jobs.
use std::time::Duration;

use super::{Change, JobId, finished::count_finished};
use crate::callers::CallerId;

/// Cancels the job: any state that is not final becomes `canceled`.
///
/// A result that arrives later is stored as a late delivery and changes nothing.
pub async fn cancel(tx: &mut Change<'_>, caller_id: CallerId, id: JobId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set
                state = 'canceled', version = version + 1, lease_id = null, due_at = null,
                finished_at = now(), content_uri_sealed = substr(content_uri_sealed, 1, 0)
            where id = $2 and caller_id = $1 and finished_at is null
            returning id, version
        ), content as (
            delete from aftercall.job_contents where job_id in (select id from job)
        )
        insert into aftercall.job_events (job_id, seq, kind) select id, version, 'canceled' from job
        "#,
        caller_id as CallerId,
        id as JobId,
    )
    .execute(&mut ***tx)
    .await?;
    let applied = done.rows_affected() == 1;
    if applied {
        count_finished(tx, &[id]).await?;
    }
    Ok(applied)
}

/// Retries the job: a `failed` or `timed_out` job is queued again, with a new deadline and, once
/// claimed, a new attempt with a new token. Tokens of earlier attempts remain valid.
pub async fn retry(
    tx: &mut Change<'_>,
    caller_id: CallerId,
    id: JobId,
    deadline: Duration,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with before as (
            select id, finished_at from aftercall.jobs
            where id = $2 and caller_id = $1 and state in ('failed', 'timed_out')
            for update
        ), job as (
            update aftercall.jobs j set
                state = 'queued', version = version + 1, failures = 0, error = null,
                due_at = now(), finished_at = null, submitted_at = null,
                result_received_at = null, deadline_at = now() + make_interval(secs => $3)
            from before where j.id = before.id
            returning j.id, j.version, before.finished_at as ended_at
        ), attempt as (
            update aftercall.attempts a set given_up_at = job.ended_at
            from job where a.job_id = job.id and a.given_up_at is null
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'queued', json_build_object('because', 'retry') from job
        "#,
        caller_id as CallerId,
        id as JobId,
        deadline.as_secs_f64(),
    )
    .execute(&mut ***tx)
    .await?;
    let applied = done.rows_affected() == 1;
    if applied {
        tx.queues();
    }
    Ok(applied)
}
