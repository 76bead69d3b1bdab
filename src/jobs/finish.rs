//! Jobs reach a final state because of what the provider answered.
use sqlx::{PgTransaction, types::Json};
use uuid::Uuid;

use super::{CompletedVia, JobError, State};

/// A job's row, locked until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub struct Locked {
    pub state: State,
}

impl Locked {
    /// Whether a success may still change the job: it is open, or only the clock ended it.
    pub fn awaits_result(self) -> bool {
        !matches!(self.state, State::Completed | State::Failed | State::Canceled)
    }

    /// Whether a failure may still change the job.
    pub fn awaits_failure(self) -> bool {
        matches!(self.state, State::Queued | State::Submitting | State::Submitted)
    }
}

/// Locks the job's row; `None` when it does not exist.
pub async fn lock(tx: &mut PgTransaction<'_>, id: Uuid) -> sqlx::Result<Option<Locked>> {
    sqlx::query_as!(
        Locked,
        r#"select state as "state: State" from aftercall.jobs where id = $1 for update"#,
        id,
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The result is stored: the job is `completed`, also when it had timed out (then it is late).
pub async fn complete(
    tx: &mut PgTransaction<'_>,
    id: Uuid,
    attempt: i32,
    via: CompletedVia,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with before as (
            select id, state from aftercall.jobs where id = $1
        ), job as (
            update aftercall.jobs j set
                state = 'completed', version = version + 1, completed_via = $2, error = null,
                lease_id = null, due_at = null, finished_at = now(),
                submitted_at = coalesce(submitted_at, now())
            from before
            where j.id = before.id
              and j.state in ('queued', 'submitting', 'submitted', 'timed_out')
            returning j.id, j.version, before.state = 'timed_out' as late
        ), content as (
            delete from aftercall.job_contents where job_id in (select id from job)
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'completed',
            json_build_object('attempt', $3::int, 'via', $2::text, 'late', late)
        from job
        "#,
        id,
        via as CompletedVia,
        attempt,
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The provider reported that the analysis failed.
pub async fn fail(
    tx: &mut PgTransaction<'_>,
    id: Uuid,
    attempt: i32,
    error: &JobError,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set
                state = 'failed', version = version + 1, error = $2, lease_id = null,
                due_at = null, finished_at = now()
            where id = $1 and state in ('queued', 'submitting', 'submitted')
            returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind, detail)
        select id, version, 'failed', json_build_object('attempt', $3::int) from job
        "#,
        id,
        Json(error) as _,
        attempt,
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}
