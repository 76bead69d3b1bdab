//! Moves many jobs at once to a final state, as reported by the provider.
use std::collections::HashMap;

use sqlx::PgTransaction;

use super::{Change, Channel, JobError, JobId, State};
use crate::callers::CallerId;

/// A job whose result is stored.
#[derive(Debug, Clone, Copy)]
pub struct Completion {
    pub job_id: JobId,
    pub attempt: i32,
    pub via: Channel,
}

/// A job whose analysis failed, according to the provider.
#[derive(Debug, Clone)]
pub struct Failure {
    pub job_id: JobId,
    pub attempt: i32,
    pub via: Channel,
    pub error: JobError,
}

/// The state of a job with regard to reports of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobStanding {
    pub state: State,
    /// Whether a success may still change the job, as defined by `aftercall.awaits_result`: it is open, or its end was
    /// only presumed by us.
    pub awaits_result: bool,
}

impl JobStanding {
    /// The standing of a job whose end the provider has reported.
    pub fn ended(state: State) -> Self {
        Self { state, awaits_result: false }
    }
}

/// Locks the row of a job of this caller, if it exists.
pub async fn lock_own(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    id: JobId,
) -> sqlx::Result<()> {
    let row = sqlx::query!(
        "select id from aftercall.jobs where id = $2 and caller_id = $1 for update",
        caller_id as CallerId,
        id as JobId,
    );
    row.fetch_optional(&mut **tx).await?;
    Ok(())
}

/// Locks the rows of these jobs, in the order of their ids so that no two batches deadlock, and returns their standing.
/// Jobs that do not exist are left out.
pub async fn lock(
    tx: &mut PgTransaction<'_>,
    ids: &[JobId],
) -> sqlx::Result<HashMap<JobId, JobStanding>> {
    let rows = sqlx::query!(
        r#"
        select id as "id: JobId", state as "state: State",
            aftercall.awaits_result(state, error) as "awaits_result!"
        from aftercall.jobs
        where id = any($1) order by id for update
        "#,
        ids as &[JobId],
    )
    .fetch_all(&mut **tx)
    .await?;
    let standing = rows
        .into_iter()
        .map(|row| (row.id, JobStanding { state: row.state, awaits_result: row.awaits_result }));
    Ok(standing.collect())
}

/// Completes the jobs, including those whose end was only presumed by us (which is then late). Their results must
/// already be stored in this transaction: a trigger counts them in the statistics.
pub async fn complete(tx: &mut Change<'_>, done: &[Completion]) -> sqlx::Result<()> {
    if done.is_empty() {
        return Ok(());
    }
    let ids: Vec<JobId> = done.iter().map(|completion| completion.job_id).collect();
    let attempts: Vec<i32> = done.iter().map(|completion| completion.attempt).collect();
    let via: Vec<&str> = done.iter().map(|completion| completion.via.name()).collect();
    sqlx::query!(
        r#"
        with done as (
            select d.id, d.attempt, d.via, j.state
            from unnest($1::uuid[], $2::int[], $3::text[]) as d (id, attempt, via)
            join aftercall.jobs j on j.id = d.id
            where aftercall.awaits_result(j.state, j.error)
        ), job as (
            update aftercall.jobs j set
                state = 'completed', version = version + 1, completed_via = done.via, error = null,
                lease_id = null, due_at = null, finished_at = now(),
                submitted_at = coalesce(submitted_at, now())
            from done where j.id = done.id
            returning j.id, j.version, done.attempt, done.via,
                done.state in ('timed_out', 'failed') as late
        ), content as (
            delete from aftercall.job_contents where job_id in (select id from job)
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'completed',
            json_build_object('attempt', attempt, 'via', via, 'late', late)
        from job
        "#,
        &ids as &[JobId],
        &attempts,
        &via as &[&str],
    )
    .execute(&mut ***tx)
    .await?;
    Ok(())
}

/// Fails the jobs, unless they have already ended.
pub async fn fail(tx: &mut Change<'_>, failed: &[Failure]) -> sqlx::Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    let ids: Vec<JobId> = failed.iter().map(|failure| failure.job_id).collect();
    let attempts: Vec<i32> = failed.iter().map(|failure| failure.attempt).collect();
    let via: Vec<&str> = failed.iter().map(|failure| failure.via.name()).collect();
    let errors: Vec<_> = failed.iter().map(|failure| sqlx::types::Json(&failure.error)).collect();
    sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs j set
                state = 'failed', version = version + 1, error = f.error, lease_id = null,
                due_at = null, finished_at = now()
            from unnest($1::uuid[], $2::int[], $3::jsonb[], $4::text[]) as f (id, attempt, error, via)
            where j.id = f.id and j.state in ('queued', 'submitting', 'submitted')
            returning j.id, j.version, f.attempt, f.via
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'failed', json_build_object('attempt', attempt, 'via', via) from job
        "#,
        &ids as &[JobId],
        &attempts,
        &errors as _,
        &via as &[&str],
    )
    .execute(&mut ***tx)
    .await?;
    Ok(())
}
