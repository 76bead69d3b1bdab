//! Jobs that have waited too long for a lease, a response, a result or the deadline.
//!
//! Statements about many jobs skip locked rows: those are being changed, and two statements that lock rows in different
//! orders could deadlock.
use std::time::Duration;

use sqlx::{PgPool, PgTransaction, types::Json};

use super::{Announcer, Change, ErrorClass, JobError, JobId, finished::count_finished};

/// A submitted job to poll.
#[derive(Debug, Clone)]
pub struct PollTarget {
    pub job_id: JobId,
    pub attempt: i32,
    pub provider_job_id: String,
    /// At the provider, which alone can ask for it.
    pub account: String,
    pub trace_context: Option<String>,
}

/// Commits a statement that has changed these jobs, and counts those that it has ended. Nothing is announced when there
/// are none.
async fn finish(mut tx: Change<'_>, ids: &[JobId]) -> sqlx::Result<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    count_finished(&mut tx, ids).await?;
    tx.commit().await?;
    Ok(ids.len() as u64)
}

/// Announces a statement that has changed this many jobs.
fn announced(announcer: &Announcer, jobs: u64) -> u64 {
    if jobs > 0 {
        announcer.tell_changed();
    }
    jobs
}

/// Abandons attempts whose process died before recording a response: their outcome is unknown. They stay open until
/// `wait` after they began.
pub async fn abandon_leases(
    db: &PgPool,
    announcer: &Announcer,
    wait: Duration,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"
        with due as materialized (
            select id from aftercall.jobs
            where state = 'submitting' and lease_id is not null and due_at < now()
            for update skip locked
        ), job as (
            update aftercall.jobs j set
                version = version + 1, lease_id = null,
                due_at = a.created_at + make_interval(secs => $1)
            from due join aftercall.attempts a on a.job_id = due.id
            where j.id = due.id
              and a.number = (select max(number) from aftercall.attempts where job_id = due.id)
            returning j.id, j.version, a.number, j.due_at
        ), attempt as (
            update aftercall.attempts a set outcome = 'unknown', answered_at = now()
            from job where a.job_id = job.id and a.number = job.number
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'abandoned', json_build_object('attempt', number, 'until', due_at)
        from job
        "#,
        wait.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(announced(announcer, done.rows_affected()))
}

/// Requeues jobs whose unconfirmed attempt has waited long enough, or fails them if that was the last of
/// `max_attempts`.
pub async fn requeue_unconfirmed(
    db: &PgPool,
    announcer: &Announcer,
    max_attempts: u32,
) -> sqlx::Result<u64> {
    let error = JobError::new(
        ErrorClass::Upstream,
        "the provider never confirmed the submission, and no result arrived",
    );
    let mut tx = announcer.begin(db).await?;
    let ids = sqlx::query_scalar!(
        r#"
        with due as materialized (
            select id from aftercall.jobs
            where state = 'submitting' and lease_id is null and due_at < now()
            for update skip locked
        ), job as (
            update aftercall.jobs j set
                version = version + 1, failures = failures + 1,
                state = case when failures + 1 < $1 then 'queued' else 'failed' end,
                due_at = case when failures + 1 < $1 then now() end,
                finished_at = case when failures + 1 < $1 then null else now() end,
                error = $2
            from due where j.id = due.id
            returning j.id, version, state
        ), attempt as (
            update aftercall.attempts a set given_up_at = now()
            from job
            where job.state = 'queued' and a.job_id = job.id and a.given_up_at is null
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, case state when 'queued' then 'requeued' else 'failed' end,
            case state when 'queued' then json_build_object('because', 'unknown')
                else json_build_object('because', 'unknown', 'via', 'presumed') end
        from job
        returning job_id as "id: JobId"
        "#,
        i32::try_from(max_attempts).unwrap_or(i32::MAX),
        Json(error) as _,
    )
    .fetch_all(&mut **tx)
    .await?;
    finish(tx, &ids).await
}

/// Whether a submitted job is due for a poll.
pub async fn has_polls(db: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from aftercall.jobs where state = 'submitted' and due_at <= now()
        ) as "due!"
        "#
    )
    .fetch_one(db)
    .await
}

/// Claims the submitted job of this account that has been due for a poll the longest. It is due again after `again`, but no later than
/// its deadline, when it is polled once more.
pub async fn claim_poll(
    tx: &mut PgTransaction<'_>,
    account: &str,
    again: Duration,
) -> sqlx::Result<Option<PollTarget>> {
    sqlx::query_as!(
        PollTarget,
        r#"
        with due as materialized (
            select j.id from aftercall.jobs j
            where j.state = 'submitted' and j.due_at <= now() and $2 = (
                select a.account from aftercall.attempts a
                where a.job_id = j.id and a.provider_job_id is not null
                order by a.number desc limit 1)
            order by j.due_at
            limit 1
            for update skip locked
        ), job as (
            update aftercall.jobs j set due_at = case
                when deadline_at > now() then least(now() + make_interval(secs => $1), deadline_at)
                else now() + make_interval(secs => $1) end
            from due where j.id = due.id
            returning j.id, j.trace_context
        )
        select a.job_id, a.number as attempt, a.provider_job_id as "provider_job_id!", a.account,
            job.trace_context
        from job join aftercall.attempts a on a.job_id = job.id
        where a.provider_job_id is not null
        order by a.number desc
        limit 1
        "#,
        again.as_secs_f64(),
        account,
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Jobs at most that [`pass_over`] handles at once.
const MOST_PASSED_OVER: i64 = 100;

/// Submitted jobs that are due for a poll and whose account is not among these. They are due again as if they had been
/// polled, so that they time out at their deadline unless the webhook ends them; each with its account.
pub async fn pass_over(
    db: &PgPool,
    configured: &[String],
    again: Duration,
) -> sqlx::Result<Vec<(JobId, String)>> {
    let rows = sqlx::query!(
        r#"
        with due as materialized (
            select j.id, a.account from aftercall.jobs j
            cross join lateral (
                select account from aftercall.attempts a
                where a.job_id = j.id and a.provider_job_id is not null
                order by a.number desc limit 1
            ) a
            where j.state = 'submitted' and j.due_at <= now() and a.account <> all($1)
            order by j.due_at
            limit $3
            for update of j skip locked
        )
        update aftercall.jobs j set due_at = case
            when deadline_at > now() then least(now() + make_interval(secs => $2), deadline_at)
            else now() + make_interval(secs => $2) end
        from due where j.id = due.id
        returning j.id as "id: JobId", due.account
        "#,
        configured,
        again.as_secs_f64(),
        MOST_PASSED_OVER,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.account)).collect())
}

/// Handles a job that the provider had accepted and no longer knows: requeues it for another attempt, or fails it if
/// that was the last of `max_attempts`.
pub async fn lose_attempt(
    db: &PgPool,
    announcer: &Announcer,
    target: &PollTarget,
    max_attempts: u32,
) -> sqlx::Result<bool> {
    let error =
        JobError::new(ErrorClass::Upstream, "the provider accepted the job but no longer knows it");
    let mut tx = announcer.begin(db).await?;
    let ids = sqlx::query_scalar!(
        r#"
        with job as (
            update aftercall.jobs set
                version = version + 1, failures = failures + 1, error = $4,
                state = case when failures + 1 < $3 then 'queued' else 'failed' end,
                due_at = case when failures + 1 < $3 then now() end,
                finished_at = case when failures + 1 < $3 then null else now() end
            where id = $1 and state = 'submitted' and not exists (
                select from aftercall.attempts where job_id = $1 and number > $2)
            returning id, version, state
        ), attempt as (
            update aftercall.attempts a set given_up_at = now()
            from job
            where job.state = 'queued' and a.job_id = job.id and a.given_up_at is null
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, case state when 'queued' then 'requeued' else 'failed' end,
            case state when 'queued' then json_build_object('attempt', $2::int, 'because', 'forgotten')
                else json_build_object('attempt', $2::int, 'because', 'forgotten', 'via', 'poll') end
        from job
        returning job_id as "id: JobId"
        "#,
        target.job_id as JobId,
        target.attempt,
        i32::try_from(max_attempts).unwrap_or(i32::MAX),
        Json(error) as _,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(finish(tx, &ids).await? == 1)
}

/// Times out open jobs past their deadline. Jobs that can be polled are polled once more first, which moves their
/// `due_at` past the deadline. The cause is the last thing that went wrong: the job's error, a useless delivery, or an
/// attempt.
pub async fn expire(db: &PgPool, announcer: &Announcer) -> sqlx::Result<u64> {
    let error = JobError::new(ErrorClass::Timeout, "no result arrived before the deadline");
    let mut tx = announcer.begin(db).await?;
    let ids = sqlx::query_scalar!(
        r#"
        with due as materialized (
            select id from aftercall.jobs j
            where finished_at is null and deadline_at < now()
              and (state <> 'submitted' or due_at > deadline_at or not exists (
                select from aftercall.attempts a
                where a.job_id = j.id and a.provider_job_id is not null))
            for update skip locked
        ), cause as (
            select due.id, coalesce(j.error::jsonb, (
                select jsonb_build_object('class', 'upstream', 'retryable', true,
                    'message', 'the delivered body is unusable: ' || d.reason)
                from aftercall.deliveries d
                where d.job_id = due.id and d.outcome in ('malformed', 'mismatch')
                order by d.id desc limit 1
            ), (
                select a.error::jsonb from aftercall.attempts a
                where a.job_id = due.id and a.error is not null
                order by a.number desc limit 1
            )) as error
            from due join aftercall.jobs j on j.id = due.id
        ), job as (
            update aftercall.jobs j set
                state = 'timed_out', version = version + 1, lease_id = null, due_at = null,
                finished_at = now(), error = case when cause.error is null then $1::jsonb
                    else $1::jsonb || jsonb_build_object('cause', cause.error) end::json
            from cause where j.id = cause.id
            returning j.id, version
        )
        insert into aftercall.job_events (job_id, seq, kind) select id, version, 'timed_out' from job
        returning job_id as "id: JobId"
        "#,
        Json(error) as _,
    )
    .fetch_all(&mut **tx)
    .await?;
    finish(tx, &ids).await
}

/// Makes submitted jobs due for a poll in the next round, because their webhook delivery was useless. Not past the
/// deadline, so that [`expire`] still waits for the last poll.
pub async fn poll_soon(tx: &mut PgTransaction<'_>, ids: &[JobId]) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update aftercall.jobs set due_at = least(now(), deadline_at)
         where id = any($1) and state = 'submitted'",
        ids as &[JobId],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Postpones the next poll after a final status response that ended nothing: to after `wait`, doubled with each such
/// response, and at the latest to the deadline.
pub async fn poll_later(
    tx: &mut PgTransaction<'_>,
    target: &PollTarget,
    wait: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with attempt as (
            update aftercall.attempts set useless_answers = useless_answers + 1
            where job_id = $1 and number = $2
            returning useless_answers as answers
        )
        update aftercall.jobs set due_at = least(deadline_at,
            now() + make_interval(secs => $3 * power(2, least(attempt.answers, 20))))
        from attempt where id = $1 and state = 'submitted' and deadline_at > now()
        "#,
        target.job_id as JobId,
        target.attempt,
        wait.as_secs_f64(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
