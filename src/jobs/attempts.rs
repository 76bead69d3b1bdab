//! Attempts of a job, and which of them a webhook token belongs to.
use std::collections::HashSet;

use sqlx::{PgExecutor, PgTransaction};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::Token;

#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: i32,
    pub provider_job_id: Option<String>,
}

/// For each token the attempt whose webhook URL held it; hashes are compared in constant time.
///
/// `None` for an unknown job as well as for a wrong secret, and for a token that has expired: seven
/// days after the job's deadline, as the provider forgets results after seven days.
pub async fn matching_attempts(
    db: impl PgExecutor<'_>,
    tokens: &[&Token],
) -> sqlx::Result<Vec<Option<Attempt>>> {
    let ids: Vec<Uuid> = tokens.iter().map(|token| token.job_id).collect();
    let candidates = sqlx::query!(
        r#"
        select a.job_id, a.number, a.token_sha, a.provider_job_id
        from aftercall.attempts a join aftercall.jobs j on j.id = a.job_id
        where a.job_id = any($1) and now() < j.deadline_at + interval '7 days'
        "#,
        &ids,
    )
    .fetch_all(db)
    .await?;
    let matching = tokens.iter().map(|token| {
        let sha = token.sha();
        let found = candidates
            .iter()
            .find(|row| row.job_id == token.job_id && bool::from(row.token_sha.ct_eq(&sha)));
        found
            .map(|row| Attempt { number: row.number, provider_job_id: row.provider_job_id.clone() })
    });
    Ok(matching.collect())
}

/// Which of these attempts their jobs no longer wait for: a later one was made, or the caller has
/// asked for one. Exact while the jobs' rows are locked.
pub async fn given_up(
    tx: &mut PgTransaction<'_>,
    attempts: &[(Uuid, i32)],
) -> sqlx::Result<HashSet<(Uuid, i32)>> {
    if attempts.is_empty() {
        return Ok(HashSet::new());
    }
    let (ids, numbers): (Vec<Uuid>, Vec<i32>) = attempts.iter().copied().unzip();
    // Queued without an error after an attempt: by a retry, and not taken since.
    let rows = sqlx::query!(
        r#"
        select a.job_id as "job_id!", a.number as "number!"
        from unnest($1::uuid[], $2::int[]) as a (job_id, number)
        join aftercall.jobs j on j.id = a.job_id
        where (j.state = 'queued' and j.error is null) or exists (
            select from aftercall.attempts later
            where later.job_id = a.job_id and later.number > a.number)
        "#,
        &ids,
        &numbers,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.job_id, row.number)).collect())
}
