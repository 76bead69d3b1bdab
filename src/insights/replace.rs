//! Replaces results of earlier parsers.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgTransaction};

use super::{
    Prepared,
    document::{DocumentOrigin, Documents},
    write::store_rows,
};
use crate::{
    conversations,
    jobs::{Change, JobId},
    stats,
};

/// Which results to recompute. `None` conditions do not apply.
#[derive(Debug, Clone, Default)]
pub struct Outdated {
    /// Results of parsers older than this version.
    pub below: i32,
    /// Results first stored at or after this time,
    pub since: Option<DateTime<Utc>>,
    /// and before this one.
    pub until: Option<DateTime<Utc>>,
    pub job_id: Option<JobId>,
}

/// Jobs with such a result, up to `limit`, ordered by id, after `after`.
pub async fn outdated(
    db: impl PgExecutor<'_>,
    which: &Outdated,
    after: JobId,
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    sqlx::query_scalar!(
        r#"
        select job_id as "job_id: JobId" from aftercall.results
        where job_id > $1 and parser_version < $2
          and ($3::timestamptz is null or created_at >= $3)
          and ($4::timestamptz is null or created_at < $4)
          and ($5::uuid is null or job_id = $5)
        order by job_id
        limit $6
        "#,
        after as JobId,
        which.below,
        which.since,
        which.until,
        which.job_id as Option<JobId>,
        limit,
    )
    .fetch_all(db)
    .await
}

/// The parser versions of those results that are older than `below` and have not expired. Exact while the jobs' rows are
/// locked.
pub async fn versions_below(
    tx: &mut PgTransaction<'_>,
    jobs: &[JobId],
    below: i32,
) -> sqlx::Result<HashMap<JobId, i32>> {
    let rows = sqlx::query!(
        r#"select r.job_id as "job_id: JobId", r.parser_version from aftercall.results r
         join aftercall.jobs j on j.id = r.job_id and j.result_expired_at is null
         where r.job_id = any($1) and r.parser_version < $2"#,
        jobs as &[JobId],
        below,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.job_id, row.parser_version)).collect())
}

/// Replaces the results of these jobs: documents, all rows, and their counts in the statistics.
pub async fn replace(
    tx: &mut Change<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let new = Documents::of(found);
    tx.changes_results(&new.jobs);
    stats::uncount(tx, &new.jobs).await?;
    conversations::remove(tx, &new.jobs).await?;
    sqlx::query!(
        r#"
        with utterance as (delete from aftercall.utterances where job_id = any($1)),
            speaker as (delete from aftercall.speakers where job_id = any($1)),
            speaker_insight as (delete from aftercall.speaker_insights where job_id = any($1)),
            question as (delete from aftercall.questions where job_id = any($1)),
            insight as (delete from aftercall.conversation_insights where job_id = any($1))
        update aftercall.results r set
            document = n.document, document_sha = n.document_sha,
            parser_version = n.parser_version, is_partial = n.is_partial,
            speaker_count = n.speaker_count
        from unnest($1::uuid[], $2::text[], $3::bytea[], $4::int[], $5::bool[], $6::int[])
            as n (job_id, document, document_sha, parser_version, is_partial, speaker_count)
        where r.job_id = n.job_id
        "#,
        &new.jobs as &[JobId],
        &new.texts,
        &new.shas,
        &new.parser_versions,
        &new.are_partial,
        &new.speaker_counts as &[Option<i32>],
    )
    .execute(&mut ***tx)
    .await?;
    store_rows(tx, &Documents::default(), found).await
}
