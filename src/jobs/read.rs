//! Jobs as their callers see them. Jobs of other callers do not exist.
use std::collections::HashMap;

use serde_json::value::RawValue;
use sqlx::{PgExecutor, PgTransaction, types::Json};

use super::{Channel, Job, JobError, JobId, NotifyChoice, State};
use crate::callers::CallerId;

/// Finds a job; `None` also when it belongs to another caller.
pub async fn find(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    id: JobId,
) -> sqlx::Result<Option<Job>> {
    sqlx::query_as!(
        Job,
        r#"
        select id, external_id, tags, metadata as "metadata: Json<Box<RawValue>>",
            request as "request: Json<Box<RawValue>>", media_id, state as "state: State", version,
            completed_via as "completed_via: Channel", error as "error: Json<JobError>",
            created_at, deadline_at, submitted_at, finished_at, result_expired_at,
            notify as "notify: Json<NotifyChoice>",
            (select count(*) from aftercall.attempts a where a.job_id = jobs.id) as "attempts!"
        from aftercall.jobs where id = $2 and caller_id = $1
        "#,
        caller_id as CallerId,
        id as JobId,
    )
    .fetch_optional(db)
    .await
}

/// Those of the jobs that are the caller's, locked in the order of their ids.
pub async fn lock_own(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    ids: &[JobId],
) -> sqlx::Result<HashMap<JobId, Job>> {
    let jobs = sqlx::query_as!(
        Job,
        r#"
        select id, external_id, tags, metadata as "metadata: Json<Box<RawValue>>",
            request as "request: Json<Box<RawValue>>", media_id, state as "state: State", version,
            completed_via as "completed_via: Channel", error as "error: Json<JobError>",
            created_at, deadline_at, submitted_at, finished_at, result_expired_at,
            notify as "notify: Json<NotifyChoice>",
            (select count(*) from aftercall.attempts a where a.job_id = jobs.id) as "attempts!"
        from aftercall.jobs where id = any($2) and caller_id = $1 order by id for update
        "#,
        caller_id as CallerId,
        ids as &[JobId],
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(jobs.into_iter().map(|job| (job.id, job)).collect())
}

/// The jobs among these that are final, for any caller.
pub async fn finished(db: impl PgExecutor<'_>, ids: &[JobId]) -> sqlx::Result<Vec<Job>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as!(
        Job,
        r#"
        select id, external_id, tags, metadata as "metadata: Json<Box<RawValue>>",
            request as "request: Json<Box<RawValue>>", media_id, state as "state: State", version,
            completed_via as "completed_via: Channel", error as "error: Json<JobError>",
            created_at, deadline_at, submitted_at, finished_at, result_expired_at,
            notify as "notify: Json<NotifyChoice>",
            (select count(*) from aftercall.attempts a where a.job_id = jobs.id) as "attempts!"
        from aftercall.jobs where id = any($1) and finished_at is not null
        "#,
        ids as &[JobId],
    )
    .fetch_all(db)
    .await
}

/// The name of the job's caller, and its state; for operators, who may see jobs of any caller.
pub async fn owner(db: impl PgExecutor<'_>, id: JobId) -> sqlx::Result<Option<(String, State)>> {
    let row = sqlx::query!(
        r#"
        select c.name, j.state as "state: State"
        from aftercall.jobs j join aftercall.callers c on c.id = j.caller_id
        where j.id = $1
        "#,
        id as JobId,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| (row.name, row.state)))
}
