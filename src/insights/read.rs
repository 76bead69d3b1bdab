//! Reads stored documents.
use sqlx::PgExecutor;

use crate::{
    callers::CallerId,
    jobs::{HotResult, JobId},
};

/// The stored document, and its entity tag: its SHA-256 in quotes.
#[derive(Debug)]
pub struct StoredResult {
    pub document: String,
    pub etag: String,
}

impl From<StoredResult> for HotResult {
    fn from(stored: StoredResult) -> Self {
        Self { document: stored.document.into(), etag: stored.etag.into() }
    }
}

/// The result of a job of this caller; `None` when there is no such job, or it has no result yet or no more.
pub async fn result(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    job_id: JobId,
) -> sqlx::Result<Option<StoredResult>> {
    sqlx::query_as!(
        StoredResult,
        r#"
        select r.document, '"' || encode(r.document_sha, 'hex') || '"' as "etag!"
        from aftercall.results r join aftercall.jobs j on j.id = r.job_id
        where r.job_id = $2 and j.caller_id = $1 and j.result_expired_at is null
        "#,
        caller_id as CallerId,
        job_id as JobId,
    )
    .fetch_optional(db)
    .await
}

/// The same for many pairs of caller and job at once, in order.
pub async fn results(
    db: impl PgExecutor<'_>,
    wanted: &[(CallerId, JobId)],
) -> sqlx::Result<Vec<Option<StoredResult>>> {
    let callers: Vec<CallerId> = wanted.iter().map(|(caller_id, _)| *caller_id).collect();
    let jobs: Vec<JobId> = wanted.iter().map(|(_, job_id)| *job_id).collect();
    let rows = sqlx::query!(
        r#"
        select w.n as "n!", r.document, '"' || encode(r.document_sha, 'hex') || '"' as "etag!"
        from unnest($1::uuid[], $2::uuid[]) with ordinality as w (caller_id, job_id, n)
        join aftercall.jobs j on j.id = w.job_id and j.caller_id = w.caller_id
            and j.result_expired_at is null
        join aftercall.results r on r.job_id = w.job_id and r.job_id = any($2)
        "#,
        &callers as &[CallerId],
        &jobs as &[JobId],
    )
    .fetch_all(db)
    .await?;
    let mut found: Vec<_> = wanted.iter().map(|_| None).collect();
    for row in rows {
        let place = usize::try_from(row.n - 1).ok().and_then(|n| found.get_mut(n));
        if let Some(place) = place {
            *place = Some(StoredResult { document: row.document, etag: row.etag });
        }
    }
    Ok(found)
}
