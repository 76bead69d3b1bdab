//! Records the outcome of a submission. Each statement is guarded by the lease: `false` means that the job had moved on
//! and only the attempt's own row changed. A lease that was taken away still counts until there is another attempt,
//! since late knowledge of an attempt's outcome is still valid. The job's row is locked before the attempt's, as
//! everywhere.
use std::time::Duration;

use sqlx::{PgTransaction, types::Json};

use super::{Change, Claimed, JobError, JobId, finished::count_finished};

/// Why an attempt did not succeed; stored in `attempts.outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryReason {
    Throttled,
    Broken,
    Unreachable,
    Unauthorized,
    /// The response was about the URL, not about the job.
    Misdirected,
}

impl RetryReason {
    /// As written in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Broken => "broken",
            Self::Unreachable => "unreachable",
            Self::Unauthorized => "unauthorized",
            Self::Misdirected => "misdirected",
        }
    }

    /// Whether the provider may have looked at the job. Otherwise a retry costs nothing, and only the deadline ends the
    /// job.
    pub fn counts(self) -> bool {
        self == Self::Broken
    }

    /// Whether it says nothing about other accounts at the provider.
    pub fn is_about_account(self) -> bool {
        matches!(self, Self::Throttled | Self::Unauthorized | Self::Misdirected)
    }
}

/// The provider accepted the job. Without a job id (2022) it can never be polled, only awaited.
///
/// Also applies when the job was requeued because this was not known: it is then not submitted again. After a retry by
/// the caller, which clears the error, it is.
///
/// `poll_after`: when to poll for the result if no webhook arrives.
pub async fn mark_submitted(
    tx: &mut Change<'_>,
    claimed: &Claimed,
    provider_job_id: Option<&str>,
    poll_after: Duration,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set
                state = 'submitted', version = version + 1, lease_id = null, error = null,
                submitted_at = now(),
                due_at = least(now() + make_interval(secs => $3), deadline_at)
            where id = $1 and coalesce(lease_id, $2) = $2
                and (state = 'submitting' or state = 'queued' and error is not null)
                and $4 = (select max(number) from aftercall.attempts where job_id = $1)
            returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'submitted',
            json_build_object('attempt', $4::int, 'providerJobId', $5::text)
        from job
        "#,
        claimed.job_id as JobId,
        claimed.lease_id,
        poll_after.as_secs_f64(),
        claimed.attempt,
        provider_job_id,
    )
    .execute(&mut ***tx)
    .await?;
    answer(tx, claimed, "accepted", provider_job_id, None).await?;
    Ok(done.rows_affected() == 1)
}

/// Nothing was accepted; the job returns to the queue for `delay`.
pub async fn release(
    tx: &mut Change<'_>,
    claimed: &Claimed,
    retry_reason: RetryReason,
    delay: Duration,
    error: &JobError,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set
                state = 'queued', version = version + 1, lease_id = null, error = $5,
                failures = failures + $4, due_at = now() + make_interval(secs => $3)
            where id = $1 and state = 'submitting' and coalesce(lease_id, $2) = $2
                and $6 = (select max(number) from aftercall.attempts where job_id = $1)
            returning id, version, due_at
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'requeued',
            json_strip_nulls(json_build_object('attempt', $6::int, 'because', $7::text,
                'code', $8::text, 'until', due_at))
        from job
        "#,
        claimed.job_id as JobId,
        claimed.lease_id,
        delay.as_secs_f64(),
        i32::from(retry_reason.counts()),
        Json(error) as _,
        claimed.attempt,
        retry_reason.name(),
        error.code,
    )
    .execute(&mut ***tx)
    .await?;
    not_accepted(tx, claimed, retry_reason.name(), error).await?;
    Ok(done.rows_affected() == 1)
}

/// The provider rejected the job for good, or too many attempts failed: it is `failed`.
///
/// `retry_reason` is why the last attempt failed, if it was not rejected.
pub async fn refuse(
    tx: &mut Change<'_>,
    claimed: &Claimed,
    retry_reason: Option<RetryReason>,
    error: &JobError,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set
                state = 'failed', version = version + 1, lease_id = null, error = $3,
                due_at = null, finished_at = now()
            where id = $1 and state = 'submitting' and coalesce(lease_id, $2) = $2
                and $4 = (select max(number) from aftercall.attempts where job_id = $1)
            returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'failed', json_strip_nulls(json_build_object(
            'attempt', $4::int, 'via', 'submission', 'code', $5::text))
        from job
        "#,
        claimed.job_id as JobId,
        claimed.lease_id,
        Json(error) as _,
        claimed.attempt,
        error.code,
    )
    .execute(&mut ***tx)
    .await?;
    not_accepted(tx, claimed, retry_reason.map_or("refused", RetryReason::name), error).await?;
    let applied = done.rows_affected() == 1;
    if applied {
        count_finished(tx, &[claimed.job_id]).await?;
    }
    Ok(applied)
}

/// There was no response, but the provider may have accepted the job: it stays `submitting`, its webhook remains valid,
/// and another attempt is made only after `wait`.
pub async fn mark_unknown(
    tx: &mut Change<'_>,
    claimed: &Claimed,
    wait: Duration,
    error: &JobError,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set
                version = version + 1, lease_id = null, error = $4,
                due_at = now() + make_interval(secs => $3)
            where id = $1 and state = 'submitting' and coalesce(lease_id, $2) = $2
                and $5 = (select max(number) from aftercall.attempts where job_id = $1)
            returning id, version, due_at
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'unconfirmed', json_strip_nulls(json_build_object(
            'attempt', $5::int, 'code', $6::text, 'until', due_at))
        from job
        "#,
        claimed.job_id as JobId,
        claimed.lease_id,
        wait.as_secs_f64(),
        Json(error) as _,
        claimed.attempt,
        error.code,
    )
    .execute(&mut ***tx)
    .await?;
    answer(tx, claimed, "unknown", None, Some(error)).await?;
    Ok(done.rows_affected() == 1)
}

/// Writes the row of an attempt that the provider has or may have accepted: these facts hold whether
/// or not the job still waits for them.
async fn answer(
    tx: &mut PgTransaction<'_>,
    claimed: &Claimed,
    outcome: &str,
    provider_job_id: Option<&str>,
    error: Option<&JobError>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update aftercall.attempts set
            outcome = $3, provider_job_id = coalesce($4, provider_job_id), error = $5,
            answered_at = now(), given_up_at = case when $3 <> 'accepted' then given_up_at end
        where job_id = $1 and number = $2
        "#,
        claimed.job_id as JobId,
        claimed.attempt,
        outcome,
        provider_job_id,
        error.map(Json) as _,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The same for an attempt that the provider is known not to have accepted, which counts against its
/// caller's quotas no longer. It is given back once, and to the day and the month in which it was
/// counted.
///
/// The attempt's row is updated only once: a second update in the same transaction would check the
/// foreign key, and wait for the job's row after the attempt's. The caller's row is locked last.
async fn not_accepted(
    tx: &mut PgTransaction<'_>,
    claimed: &Claimed,
    outcome: &str,
    error: &JobError,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with before as materialized (
            select job_id, number, counted_on from aftercall.attempts
            where job_id = $1 and number = $2
            for no key update
        ), attempt as (
            update aftercall.attempts a set
                outcome = $3, error = $4, answered_at = now(), counted_on = null
            from before where a.job_id = before.job_id and a.number = before.number
        )
        update aftercall.callers c set
            used_on_day = c.used_on_day - (c.counted_on = before.counted_on)::int,
            used_in_month = c.used_in_month - 1
        from before join aftercall.jobs j on j.id = before.job_id
        where c.id = j.caller_id and date_trunc('month', c.counted_on::timestamp)
            = date_trunc('month', before.counted_on::timestamp)
        "#,
        claimed.job_id as JobId,
        claimed.attempt,
        outcome,
        Json(error) as _,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
