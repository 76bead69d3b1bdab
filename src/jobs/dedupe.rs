//! Finds the job that a submission would repeat.
use serde_json::value::RawValue;
use sqlx::{PgTransaction, types::Json};

use super::{Channel, Job, JobError, JobId, NotifyChoice, State};
use crate::callers::CallerId;

/// SHA-256 of a caller, a recording and what is asked of the provider.
pub type RecordingSha = [u8; 32];

/// Lets one transaction at a time look for jobs of these recordings and create them, over all
/// replicas: the others wait until it has ended, and their next statement sees what it committed.
///
/// The locks are taken in the same order by all, so that they never deadlock. Take them after the
/// idempotency key and before any row.
pub async fn lock_recordings(
    tx: &mut PgTransaction<'_>,
    recordings: impl IntoIterator<Item = RecordingSha>,
) -> sqlx::Result<()> {
    let key = |sha: RecordingSha| {
        let (first, _) = sha.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        i64::from_be_bytes(*first)
    };
    let mut keys: Vec<i64> = recordings.into_iter().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query!("select pg_advisory_xact_lock(key) from unnest($1::int8[]) as key", &keys)
        .fetch_all(&mut **tx)
        .await?;
    Ok(())
}

/// The newest job of this recording that may still get a result or has one. Exact while the
/// recording is locked.
pub async fn same_recording(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    recording: &RecordingSha,
) -> sqlx::Result<Option<Job>> {
    // Materialized, since Postgres would otherwise walk through all jobs of the caller, the newest first.
    sqlx::query_as!(
        Job,
        r#"
        with same as materialized (
            select * from aftercall.jobs where recording_sha = $2
        )
        select id as "id!: JobId", external_id, tags as "tags!",
            metadata as "metadata!: Json<Box<RawValue>>", request as "request!: Json<Box<RawValue>>", media_id,
            state as "state!: State", version as "version!", completed_via as "completed_via: Channel",
            error as "error: Json<JobError>", created_at as "created_at!", deadline_at as "deadline_at!",
            submitted_at, finished_at, result_expired_at, notify as "notify: Json<NotifyChoice>",
            (select count(*) from aftercall.attempts a where a.job_id = same.id) as "attempts!"
        from same
        where caller_id = $1
          and (finished_at is null or state = 'completed' and result_expired_at is null)
        order by id desc limit 1
        "#,
        caller_id as CallerId,
        recording,
    )
    .fetch_optional(&mut **tx)
    .await
}
