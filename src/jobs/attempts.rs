//! Attempts of a job, and which of them a webhook token belongs to.
use std::collections::HashSet;

use sqlx::{PgExecutor, PgTransaction};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{JobId, Token};

#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: i32,
    pub provider_job_id: Option<String>,
    /// Of the job.
    pub trace_context: Option<String>,
}

/// For each token, the attempt whose webhook URL contained it; hashes are compared in constant
/// time.
///
/// `None` for an unknown job, a wrong secret, or a token that has expired: seven days after the
/// job's deadline, since the provider deletes results after seven days.
pub async fn matching_attempts(
    db: impl PgExecutor<'_>,
    tokens: &[&Token],
) -> sqlx::Result<Vec<Option<Attempt>>> {
    let ids: Vec<JobId> = tokens.iter().map(|token| token.job_id).collect();
    let candidates = sqlx::query!(
        r#"
        select a.job_id as "job_id: JobId", a.number, a.token_sha, a.provider_job_id,
            j.trace_context
        from aftercall.attempts a join aftercall.jobs j on j.id = a.job_id
        where a.job_id = any($1) and now() < j.deadline_at + interval '7 days'
        "#,
        &ids as &[JobId],
    )
    .fetch_all(db)
    .await?;
    let matching = tokens.iter().map(|token| {
        let sha = token.sha();
        let found = candidates
            .iter()
            .find(|row| row.job_id == token.job_id && bool::from(row.token_sha.ct_eq(&sha)));
        found.map(|row| Attempt {
            number: row.number,
            provider_job_id: row.provider_job_id.clone(),
            trace_context: row.trace_context.clone(),
        })
    });
    Ok(matching.collect())
}

/// For each token, the uploaded recording that the attempt's URL is for; hashes are compared in constant time.
///
/// `None` for an unknown job, a wrong secret, or once the recording is no longer needed: when the attempt was given up,
/// when the job is final, or at its deadline.
pub async fn matching_media(
    db: impl PgExecutor<'_>,
    tokens: &[&Token],
) -> sqlx::Result<Vec<Option<Uuid>>> {
    let ids: Vec<JobId> = tokens.iter().map(|token| token.job_id).collect();
    let candidates = sqlx::query!(
        r#"
        select a.job_id as "job_id: JobId", a.media_sha as "media_sha!", j.media_id as "media_id!"
        from aftercall.attempts a join aftercall.jobs j on j.id = a.job_id
        where a.job_id = any($1) and a.media_sha is not null and j.media_id is not null
          and a.given_up_at is null and j.finished_at is null and now() < j.deadline_at
        "#,
        &ids as &[JobId],
    )
    .fetch_all(db)
    .await?;
    let matching = tokens.iter().map(|token| {
        let sha = token.sha();
        let found = candidates
            .iter()
            .find(|row| row.job_id == token.job_id && bool::from(row.media_sha.ct_eq(&sha)));
        found.map(|row| row.media_id)
    });
    Ok(matching.collect())
}

/// The attempts for which their jobs no longer wait, because a later one was made or the caller
/// requested one. Exact while the jobs' rows are locked.
pub async fn given_up(
    tx: &mut PgTransaction<'_>,
    attempts: &[(JobId, i32)],
) -> sqlx::Result<HashSet<(JobId, i32)>> {
    if attempts.is_empty() {
        return Ok(HashSet::new());
    }
    let (ids, numbers): (Vec<JobId>, Vec<i32>) = attempts.iter().copied().unzip();
    // Queued without an error after an attempt means: queued by a retry, and not claimed since.
    let rows = sqlx::query!(
        r#"
        select a.job_id as "job_id!: JobId", a.number as "number!"
        from unnest($1::uuid[], $2::int[]) as a (job_id, number)
        join aftercall.jobs j on j.id = a.job_id
        where (j.state = 'queued' and j.error is null) or exists (
            select from aftercall.attempts later
            where later.job_id = a.job_id and later.number > a.number)
        "#,
        &ids as &[JobId],
        &numbers,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.job_id, row.number)).collect())
}

/// Deliveries to an attempt's webhook that are counted but not stored.
#[derive(Debug, Clone)]
pub struct Surplus {
    pub job_id: JobId,
    pub attempt: i32,
    pub deliveries: i64,
    /// Total size of their bodies.
    pub bytes: i64,
    /// SHA-256 of the last body.
    pub last_sha: [u8; 32],
}

/// Adds to the counts; returns job and number of the attempts that had no surplus before.
pub async fn count_surplus(
    tx: &mut PgTransaction<'_>,
    surplus: &[Surplus],
) -> sqlx::Result<Vec<(JobId, i32)>> {
    if surplus.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<JobId> = surplus.iter().map(|it| it.job_id).collect();
    let numbers: Vec<i32> = surplus.iter().map(|it| it.attempt).collect();
    let deliveries: Vec<i64> = surplus.iter().map(|it| it.deliveries).collect();
    let bytes: Vec<i64> = surplus.iter().map(|it| it.bytes).collect();
    let shas: Vec<&[u8]> = surplus.iter().map(|it| &it.last_sha[..]).collect();
    let rows = sqlx::query!(
        r#"
        update aftercall.attempts a set
            surplus = a.surplus + s.deliveries, surplus_bytes = a.surplus_bytes + s.bytes,
            surplus_sha = s.sha
        from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[])
            as s (job_id, number, deliveries, bytes, sha)
        where a.job_id = s.job_id and a.number = s.number
        returning a.job_id as "job_id: JobId", a.number, a.surplus = s.deliveries as "is_first!"
        "#,
        &ids as &[JobId],
        &numbers,
        &deliveries,
        &bytes,
        &shas as &[&[u8]],
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().filter(|row| row.is_first).map(|row| (row.job_id, row.number)).collect())
}
