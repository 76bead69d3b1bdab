//! Moves many jobs at once to a final state, as reported by the provider.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgTransaction, types::Json};

use super::{
    Change, Channel, JobError, JobId, State,
    finished::{Ended, count_finished},
};
use crate::db::column;

/// A job whose result is stored.
#[derive(Debug, Clone, Copy)]
pub struct Completion {
    pub job_id: JobId,
    pub attempt: i32,
    pub via: Channel,
    /// When the result arrived.
    pub received_at: Option<DateTime<Utc>>,
}

/// A job whose analysis failed, according to the provider.
#[derive(Debug, Clone)]
pub struct Failure {
    pub job_id: JobId,
    pub attempt: i32,
    pub via: Channel,
    /// When the report of the failure arrived.
    pub received_at: Option<DateTime<Utc>>,
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
/// already be stored in this transaction, which counts the completions in the statistics; this counts them by the hour.
pub async fn complete(tx: &mut Change<'_>, done: &[Completion]) -> sqlx::Result<()> {
    if done.is_empty() {
        return Ok(());
    }
    let ended = sqlx::query_as!(
        Ended,
        r#"
        with done as (
            select d.id, d.attempt, d.via, d.received_at, j.state
            from unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[])
                as d (id, attempt, via, received_at)
            join aftercall.jobs j on j.id = d.id
            where aftercall.awaits_result(j.state, j.error)
        ), job as (
            update aftercall.jobs j set
                state = 'completed', version = version + 1, completed_via = done.via, error = null,
                lease_id = null, due_at = null, finished_at = now(),
                submitted_at = coalesce(submitted_at, now()), result_received_at = done.received_at,
                content_uri_sealed = substr(j.content_uri_sealed, 1, 0)
            from done where j.id = done.id
            returning j.id, j.version, done.attempt, done.via, j.caller_id, j.created_at, j.finished_at,
                j.result_received_at, done.state in ('timed_out', 'failed') as late
        ), content as (
            delete from aftercall.job_contents where job_id in (select id from job)
        ), event as (
            insert into aftercall.job_events (job_id, seq, kind, detail)
            select id, version, 'completed',
                json_build_object('attempt', attempt, 'via', via, 'late', late)
            from job
        ), spent as (
            select job.caller_id, job.created_at, job.finished_at, job.via, blame.*
            from job
            cross join lateral
                aftercall.blame(job.id, job.created_at, job.finished_at, job.result_received_at)
        ), hours as (
            insert into aftercall.hour_changes (subject, hour, caller_id, outcome, via, counted, queued_ms,
                submitting_ms, upstream_ms, commit_ms, total_ms)
            select 'job_ended', aftercall.hour_of(finished_at), caller_id, 'completed', via, count(*),
                sum(queued_ms), sum(submitting_ms), sum(upstream_ms), sum(commit_ms),
                sum(aftercall.ms_between(created_at, finished_at))
            from spent
            cross join lateral aftercall.whole_ms(queued, submitting, upstream, total)
            group by aftercall.hour_of(finished_at), caller_id, via
        )
        select 'completed' as "state!: State", null::json as "error: Json<JobError>", via as "via: Channel",
            queued::float8 as "queued!", submitting::float8 as "submitting!", upstream::float8 as "upstream!",
            callback_commit::float8 as "callback_commit!", total::float8 as "total!"
        from spent
        "#,
        &column(done, |it| it.job_id) as &[JobId],
        &column(done, |it| it.attempt),
        &column(done, |it| it.via.name()) as &[&str],
        &column(done, |it| it.received_at) as &[Option<DateTime<Utc>>],
    )
    .fetch_all(&mut ***tx)
    .await?;
    tx.tally().finished(ended.into_iter().map(Ended::counted));
    Ok(())
}

/// Fails the jobs, unless they have already ended.
pub async fn fail(tx: &mut Change<'_>, failed: &[Failure]) -> sqlx::Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    let ids = sqlx::query_scalar!(
        r#"
        with job as (
            update aftercall.jobs j set
                state = 'failed', version = version + 1, error = f.error, lease_id = null,
                due_at = null, finished_at = now(), result_received_at = f.received_at
            from unnest($1::uuid[], $2::int[], $3::jsonb[], $4::text[], $5::timestamptz[])
                as f (id, attempt, error, via, received_at)
            where j.id = f.id and j.state in ('queued', 'submitting', 'submitted')
            returning j.id, j.version, f.attempt, f.via
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'failed', json_build_object('attempt', attempt, 'via', via) from job
        returning job_id as "id: JobId"
        "#,
        &column(failed, |it| it.job_id) as &[JobId],
        &column(failed, |it| it.attempt),
        &column(failed, |it| Json(&it.error)) as _,
        &column(failed, |it| it.via.name()) as &[&str],
        &column(failed, |it| it.received_at) as &[Option<DateTime<Utc>>],
    )
    .fetch_all(&mut ***tx)
    .await?;
    count_finished(tx, &ids).await
}
