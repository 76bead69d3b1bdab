//! Statistics across jobs: sums that are added to by whoever ends a job, and what is asked of them.
//!
//! Transitions leave their changes by a trigger; [`merge`] adds these to the sums. An answer is made of
//! both, so that it is exact whether or not they were merged.
mod ask;
mod measure;

use chrono::NaiveDate;
use sqlx::{PgExecutor, PgTransaction};

use crate::jobs::JobId;

pub use ask::{Bucket, Dimension, Key, Question, Row, Selection, Sort, answer, statement};
pub use measure::{Measure, Measures};

/// Counts those of these jobs that have ended anew, once their results are stored.
pub async fn count(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<()> {
    change(tx, jobs, 1).await
}

/// Takes back what those of these jobs that have ended count, before their results change or they go.
pub async fn uncount(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<()> {
    change(tx, jobs, -1).await
}

async fn change(tx: &mut PgTransaction<'_>, jobs: &[JobId], sign: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "select aftercall.count_jobs(array_agg(id), array_agg(state), array_agg($2::int))
         from aftercall.jobs where id = any($1) and finished_at is not null",
        jobs as &[JobId],
        sign,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Changes that it took.
    pub taken: i32,
    /// Those of them that the sums do not take. They stay where answers count them, and are not taken again.
    pub refused: i32,
}

/// Adds up to `most` changes to the sums. May run side by side.
pub async fn merge(db: impl PgExecutor<'_>, most: i32) -> sqlx::Result<Merged> {
    sqlx::query_as!(
        Merged,
        r#"select taken as "taken!", refused as "refused!" from aftercall.merge_stat_changes($1)"#,
        most,
    )
    .fetch_one(db)
    .await
}

/// The present day (UTC).
pub async fn today(db: impl PgExecutor<'_>) -> sqlx::Result<NaiveDate> {
    sqlx::query_scalar!(r#"select (now() at time zone 'UTC')::date as "today!""#)
        .fetch_one(db)
        .await
}
