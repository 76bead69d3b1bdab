//! Jobs that waited too long for something: a lease, an answer, a result, the deadline.
//!
//! Statements about many jobs pass over those that somebody has locked: these are being changed, and
//! two that lock several jobs in different orders would stop each other.
use std::time::Duration;

use sqlx::{PgPool, PgTransaction, types::Json};

use super::{Announcer, ErrorClass, JobError, JobId};

/// A submitted job whose result is to be asked for.
#[derive(Debug, Clone)]
pub struct PollTarget {
    pub job_id: JobId,
    pub attempt: i32,
    pub provider_job_id: String,
}

/// Announces that one statement has changed so many jobs.
fn announced(announcer: &Announcer, jobs: u64) -> u64 {
    if jobs > 0 {
        announcer.tell_changed();
    }
    jobs
}

/// Attempts whose process died before it recorded an answer: their fate is unknown. They stay open
/// until `wait` after they began.
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

/// Attempts of unknown fate that have waited long enough: back to the queue for another one, or
/// `failed` when that was the last of `max_attempts`.
pub async fn requeue_unconfirmed(
    db: &PgPool,
    announcer: &Announcer,
    max_attempts: u32,
) -> sqlx::Result<u64> {
    let error = JobError::new(
        ErrorClass::Upstream,
        "the provider never confirmed the submission, and no result arrived",
    );
    let done = sqlx::query!(
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
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, case state when 'queued' then 'requeued' else 'failed' end,
            case state when 'queued' then json_build_object('because', 'unknown')
                else json_build_object('because', 'unknown', 'via', 'presumed') end
        from job
        "#,
        i32::try_from(max_attempts).unwrap_or(i32::MAX),
        Json(error) as _,
    )
    .execute(db)
    .await?;
    Ok(announced(announcer, done.rows_affected()))
}

/// Whether a submitted job is due to be asked for.
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

/// Takes the submitted job that is due to be asked for and has been for longest; it is due again after
/// `again`, but once more at its deadline.
pub async fn claim_poll(
    tx: &mut PgTransaction<'_>,
    again: Duration,
) -> sqlx::Result<Option<PollTarget>> {
    sqlx::query_as!(
        PollTarget,
        r#"
        with due as materialized (
            select j.id from aftercall.jobs j
            where j.state = 'submitted' and j.due_at <= now() and exists (
                select from aftercall.attempts a
                where a.job_id = j.id and a.provider_job_id is not null)
            order by j.due_at
            limit 1
            for update skip locked
        ), job as (
            update aftercall.jobs j set due_at = case
                when deadline_at > now() then least(now() + make_interval(secs => $1), deadline_at)
                else now() + make_interval(secs => $1) end
            from due where j.id = due.id
            returning j.id
        )
        select a.job_id, a.number as attempt, a.provider_job_id as "provider_job_id!"
        from job join aftercall.attempts a on a.job_id = job.id
        where a.provider_job_id is not null
        order by a.number desc
        limit 1
        "#,
        again.as_secs_f64(),
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The provider does not know a job that it had accepted: back to the queue for another attempt, or
/// `failed` when that was the last of `max_attempts`.
pub async fn lose_attempt(
    db: &PgPool,
    announcer: &Announcer,
    target: &PollTarget,
    max_attempts: u32,
) -> sqlx::Result<bool> {
    let error =
        JobError::new(ErrorClass::Upstream, "the provider accepted the job but no longer knows it");
    let done = sqlx::query!(
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
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, case state when 'queued' then 'requeued' else 'failed' end,
            case state when 'queued' then json_build_object('attempt', $2::int, 'because', 'forgotten')
                else json_build_object('attempt', $2::int, 'because', 'forgotten', 'via', 'poll') end
        from job
        "#,
        target.job_id as JobId,
        target.attempt,
        i32::try_from(max_attempts).unwrap_or(i32::MAX),
        Json(error) as _,
    )
    .execute(db)
    .await?;
    Ok(announced(announcer, done.rows_affected()) == 1)
}

/// Open jobs past their deadline are `timed_out`; one that can be asked for is asked once more
/// first, which moves its `due_at` past the deadline. What went wrong last is the cause: what their error says,
/// a delivery that was of no use, or an attempt.
pub async fn expire(db: &PgPool, announcer: &Announcer) -> sqlx::Result<u64> {
    let error = JobError::new(ErrorClass::Timeout, "no result arrived before the deadline");
    let done = sqlx::query!(
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
                    'message', 'what was delivered is of no use: ' || d.reason)
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
        "#,
        Json(error) as _,
    )
    .execute(db)
    .await?;
    Ok(announced(announcer, done.rows_affected()))
}

/// Submitted jobs are to be asked for at the next round: their webhook was of no use. Not past the
/// deadline, so that [`expire`] still waits for the last question.
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

/// A final answer about this attempt ended nothing: it is asked for again only after `wait`, doubled with each
/// such answer, and at the deadline.
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
