//! For how long due rows have not been deleted: what an alarm about retention looks at.
use sqlx::PgPool;

use super::Kind;
use crate::{config::RetentionSettings, jobs, media, notifications, partitions};

/// For each kind, how many seconds ago its oldest row should have been deleted; 0 if there is none, or if the setting
/// is off. Each statement reads one row by an index. Retention runs every hour, so up to an hour is usual.
pub async fn overdue(
    pool: &PgPool,
    settings: &RetentionSettings,
) -> sqlx::Result<Vec<(Kind, f64)>> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let seconds = match kind.set_age(settings) {
            Some(age) => of(pool, kind, age.as_secs_f64()).await?,
            None => None,
        };
        all.push((kind, seconds.unwrap_or(0.0).max(0.0)));
    }
    Ok(all)
}

async fn of(pool: &PgPool, kind: Kind, age: f64) -> sqlx::Result<Option<f64>> {
    match kind {
        Kind::Deliveries => partitions::overdue(pool, "deliveries", age).await,
        Kind::Results => partitions::overdue(pool, "results", age).await,
        Kind::Timeline => partitions::overdue(pool, "job_events", age).await,
        Kind::Contents => jobs::contents_overdue(pool, age).await,
        Kind::Media => media::overdue(pool, age).await,
        Kind::Notifications => notifications::overdue(pool, age).await,
        Kind::Jobs => {
            let jobs = jobs::overdue(pool, age).await?;
            let months = partitions::overdue_month(pool, age).await?;
            Ok(jobs.into_iter().chain(months).reduce(f64::max))
        }
    }
}
