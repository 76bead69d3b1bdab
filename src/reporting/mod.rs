//! What the views in the schema `reporting` read besides the tables of others: sums by the hour, and the settings of the
//! running service. The overview shows some of it, too.
//!
//! Triggers and [`deliveries`](crate::deliveries) record changes of the sums; [`merge`] adds them. The views read both, so
//! they are exact whether or not changes have been merged.
use sqlx::PgExecutor;

/// Adds up to `most` changes to the sums by the hour; returns how many there were. May run concurrently.
pub async fn merge(db: impl PgExecutor<'_>, most: i32) -> sqlx::Result<i32> {
    sqlx::query_scalar!(r#"select aftercall.merge_hour_changes($1) as "taken!""#, most)
        .fetch_one(db)
        .await
}

/// Jobs that ended in the last day, as the objective for them counts.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Completed.
    pub good: i64,
    /// Timed out, or failed for another reason than an invalid request.
    pub bad: i64,
}

/// The same as `reporting.slo_v1` has for 24 hours: the hours (UTC) that overlap the last day.
pub async fn ended(db: impl PgExecutor<'_>) -> sqlx::Result<Ended> {
    sqlx::query_as!(
        Ended,
        r#"
        select coalesce(sum(counted) filter (where outcome = 'completed'), 0)::bigint as "good!",
            coalesce(sum(counted) filter (where outcome = 'timed_out'
                or outcome = 'failed' and error_class <> 'validation'), 0)::bigint as "bad!"
        from aftercall.exact_hours
        where subject = 'job_ended' and hour > now() - interval '25 hours'
        "#
    )
    .fetch_one(db)
    .await
}

/// A setting by its name; a duration is in seconds, and `None` means "off".
pub type PublishedSetting = (&'static str, Option<f64>);

/// Stores these settings for the views; those of the service that started last apply.
pub async fn publish(db: impl PgExecutor<'_>, settings: &[PublishedSetting]) -> sqlx::Result<()> {
    let (names, values): (Vec<&str>, Vec<Option<f64>>) = settings.iter().copied().unzip();
    sqlx::query!(
        r#"
        insert into aftercall.published_settings as s (name, value)
        select name, value from unnest($1::text[], $2::float8[]) as given (name, value)
        order by name
        on conflict (name) do update set value = excluded.value, updated_at = now()
        where s.value is distinct from excluded.value
        "#,
        &names as &[&str],
        &values as &[Option<f64>],
    )
    .execute(db)
    .await?;
    Ok(())
}
