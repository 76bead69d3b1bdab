//! Attempts of a job, and which of them a webhook token belongs to.
use sqlx::PgExecutor;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::Token;

#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: i32,
    pub token_sha: Vec<u8>,
    pub provider_job_id: Option<String>,
}

/// All attempts of a job, first to last. Empty for an unknown job.
pub async fn attempts(db: impl PgExecutor<'_>, job_id: Uuid) -> sqlx::Result<Vec<Attempt>> {
    sqlx::query_as!(
        Attempt,
        r#"
        select number, token_sha, provider_job_id from aftercall.attempts
        where job_id = $1 order by number
        "#,
        job_id,
    )
    .fetch_all(db)
    .await
}

/// The attempt whose webhook URL held `token`; hashes are compared in constant time.
///
/// `None` for an unknown job as well as for a wrong secret, and for a token that has expired: seven
/// days after the job's deadline, as the provider forgets results after seven days.
pub async fn matching_attempt(
    db: impl PgExecutor<'_>,
    token: &Token,
) -> sqlx::Result<Option<Attempt>> {
    let candidates = sqlx::query_as!(
        Attempt,
        r#"
        select a.number, a.token_sha, a.provider_job_id
        from aftercall.attempts a join aftercall.jobs j on j.id = a.job_id
        where a.job_id = $1 and now() < j.deadline_at + interval '7 days'
        "#,
        token.job_id,
    )
    .fetch_all(db)
    .await?;
    let sha = token.sha();
    Ok(candidates.into_iter().find(|attempt| attempt.token_sha.ct_eq(&sha).into()))
}
