//! The row of the last self-test, which also decides which replica makes the next one.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

use super::HookReport;

/// How soon a failed test is repeated.
const AGAIN: Duration = Duration::from_mins(1);

/// The result of the last test.
#[derive(Debug, Clone)]
pub struct LastTest {
    pub tested_at: DateTime<Utc>,
    pub is_up: bool,
    pub seconds: f64,
    /// What was wrong; never contains the URL.
    pub fault: Option<String>,
}

/// `None` before the first test.
pub async fn last(db: impl PgExecutor<'_>) -> sqlx::Result<Option<LastTest>> {
    sqlx::query_as!(
        LastTest,
        r#"
        select tested_at as "tested_at!", is_up as "is_up!", seconds as "seconds!", fault
        from aftercall.hook_test where tested_at is not null
        "#
    )
    .fetch_optional(db)
    .await
}

/// Whether a test is due; if so, it is this replica's, and no other's until `interval` has passed.
pub(super) async fn claim(db: &PgPool, interval: Duration) -> sqlx::Result<bool> {
    let claimed = sqlx::query!(
        r#"
        update aftercall.hook_test set started_at = now()
        where started_at is null or started_at <= now() - make_interval(
            secs => case when is_up then $1::float8 else least($1, $2::float8) end)
        "#,
        interval.as_secs_f64(),
        AGAIN.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// Stores the result; returns whether it differs from the one before.
pub(super) async fn store(db: &PgPool, report: &HookReport) -> sqlx::Result<bool> {
    let fault = report.faults.first().map(ToString::to_string);
    sqlx::query_scalar!(
        r#"
        with before as (select is_only, is_up from aftercall.hook_test for update)
        update aftercall.hook_test test
        set tested_at = now(), is_up = $1, seconds = $2, fault = $3
        from before where test.is_only = before.is_only
        returning before.is_up is distinct from $1 as "is_news!"
        "#,
        fault.is_none(),
        report.duration.as_secs_f64(),
        fault,
    )
    .fetch_one(db)
    .await
}

pub(super) async fn seconds_since_1970(db: &PgPool) -> sqlx::Result<u64> {
    let seconds = sqlx::query_scalar!(r#"select extract(epoch from now())::bigint as "now!""#)
        .fetch_one(db)
        .await?;
    Ok(u64::try_from(seconds).unwrap_or_default())
}
