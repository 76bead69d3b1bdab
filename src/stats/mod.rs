//! Statistics across jobs: sums that every ended job adds to, and the queries over them.
//!
//! Each transition records what it changes: a completion with the conversation that it stores, all others by a trigger.
//! [`merge`] adds the changes to the sums. Queries read both, so they are exact whether or not changes have been merged.
mod ask;
mod measure;
mod suggest;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgExecutor, PgTransaction};

use crate::jobs::JobId;

pub use ask::{
    Bucket, Dimension, GroupKey, Row, StatsQuestion, StatsSelection, StatsSort, answer, statement,
};
pub use measure::{Measure, Measures};
pub use suggest::{SuggestedField, suggest, suggesting};

/// Subtracts what those of these jobs that have ended count, before their results change or they are deleted.
pub async fn uncount(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<()> {
    sqlx::query!(
        "select aftercall.count_jobs(array_agg(id), array_agg(state), array_agg(-1))
         from aftercall.jobs where id = any($1) and finished_at is not null",
        jobs as &[JobId],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Subtracts the insight values of these jobs, before their results expire: values are words that were said. All other
/// sums stay.
pub async fn uncount_texts(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<()> {
    sqlx::query!("select aftercall.uncount_texts($1)", jobs as &[JobId]).execute(&mut **tx).await?;
    Ok(())
}

/// Deletes up to `most` sums of insight values of periods that began before this time, and removes such values from
/// changes that are not merged yet. To be called once no result of these periods is left. Returns how many were deleted.
pub async fn forget_texts(
    tx: &mut PgTransaction<'_>,
    before: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<u64> {
    sqlx::query!(
        "update aftercall.stat_changes set insight_names = '{}', insight_values = '{}'
         where day < ($1::timestamptz at time zone 'UTC')::date and insight_names <> '{}'",
        before,
    )
    .execute(&mut **tx)
    .await?;
    let done = sqlx::query!(
        r#"
        delete from aftercall.stats s
        using (
            select ctid from aftercall.stats
            where caller_id = any(array(select id from aftercall.callers)) and dimension = 'insight'
              and period < ($1::timestamptz at time zone 'UTC')::date
            limit $2
        ) old
        where s.ctid = old.ctid
        "#,
        before,
        most,
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// The result of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Changes taken.
    pub taken: i32,
    /// Taken changes that the sums rejected. Queries still count them, and they are not taken again.
    pub refused: i32,
}

/// Adds up to `most` changes to the sums. May run concurrently.
pub async fn merge(db: impl PgExecutor<'_>, most: i32) -> sqlx::Result<Merged> {
    sqlx::query_as!(
        Merged,
        r#"select taken as "taken!", refused as "refused!" from aftercall.merge_stat_changes($1)"#,
        most,
    )
    .fetch_one(db)
    .await
}

/// The current day (UTC).
pub async fn today(db: impl PgExecutor<'_>) -> sqlx::Result<NaiveDate> {
    sqlx::query_scalar!(r#"select (now() at time zone 'UTC')::date as "today!""#)
        .fetch_one(db)
        .await
}
