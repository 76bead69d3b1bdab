//! Deletes deliveries that are older than they are kept.
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgTransaction};

use crate::jobs::JobId;

/// Jobs with deliveries that ended before `cutoff`: up to `limit`, by id, from `after` to `before`, both excluded.
pub async fn due(
    db: impl PgExecutor<'_>,
    cutoff: DateTime<Utc>,
    (after, before): (JobId, JobId),
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    sqlx::query_scalar!(
        r#"
        select distinct d.job_id as "job_id: JobId"
        from aftercall.deliveries d join aftercall.jobs j on j.id = d.job_id
        where d.job_id > $2 and d.job_id < least($3, aftercall.uuid_floor($1))
          and aftercall.is_due(j.finished_at, j.deadline_at, $1)
        order by 1 limit $4
        "#,
        cutoff,
        after as JobId,
        before as JobId,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Deletes the deliveries of these jobs; returns their number.
pub async fn remove(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("delete from aftercall.deliveries where job_id = any($1)", jobs as &[JobId],);
    Ok(done.execute(&mut **tx).await?.rows_affected())
}
