//! How far ahead the partitions reach.
use sqlx::PgExecutor;

/// For each partitioned table, the number of days until a row has no partition to go to; 0 or less if it is so already.
pub async fn days_until_no_partition(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(String, i32)>> {
    let rows = sqlx::query!(
        r#"
        with today as (select (now() at time zone 'UTC')::date as day)
        select parent.relname::text as "table!", (
            select min(month)::date - today.day
            from generate_series(date_trunc('month', today.day), today.day + interval '3 years', '1 month') month
            where to_regclass(format('aftercall.%I', parent.relname || to_char(month, '_"y"YYYY"m"MM'))) is null
        ) as days
        from pg_class parent, today
        where parent.relkind = 'p' and parent.relnamespace = 'aftercall'::regnamespace
        order by parent.relname
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.table, row.days.unwrap_or(i32::MAX))).collect())
}
