//! What the next run would do, without doing it.
use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgPool;

use super::Kind;
use crate::{config::RetentionSettings, db, jobs, media, notifications, partitions};

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Rows that would be deleted by table, including those of partitions that would be dropped.
    pub rows: BTreeMap<&'static str, i64>,
    /// Partitions that would be dropped.
    pub partitions: Vec<PlannedDrop>,
}

#[derive(Debug, Serialize)]
pub struct PlannedDrop {
    pub name: String,
    pub bytes: i64,
}

/// Counts what is due now.
pub async fn plan(pool: &PgPool, settings: &RetentionSettings) -> sqlx::Result<Plan> {
    let mut plan = Plan::default();
    for (_, name, bytes) in partitions::detached(pool).await? {
        plan.partitions.push(PlannedDrop { name, bytes });
    }
    let partitions = partitions::list(pool).await?;
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_partitioned()) {
        let Some(age) = kind.age(settings) else { continue };
        let cutoff = db::ago(pool, age).await?;
        for table in kind.tables() {
            plan.rows.insert(table, partitions::count_due(pool, table, cutoff).await?);
            for month in partitions.iter().filter(|it| it.parent == *table) {
                if month.ends_at <= cutoff && !partitions::is_kept(pool, month, cutoff).await? {
                    let (name, bytes) = (month.name.clone(), month.bytes);
                    plan.partitions.push(PlannedDrop { name, bytes });
                }
            }
        }
    }
    let jobs = cutoff(pool, Kind::Jobs, settings).await?;
    let contents = cutoff(pool, Kind::Contents, settings).await?;
    if jobs.is_some() || contents.is_some() {
        plan.rows.extend(jobs::count_due(pool, jobs, contents).await?);
    }
    if let Some(cutoff) = cutoff(pool, Kind::Media, settings).await? {
        plan.rows.insert("media", media::count_due(pool, cutoff).await?);
    }
    if let Some(cutoff) = cutoff(pool, Kind::Notifications, settings).await? {
        plan.rows.extend(notifications::count_due(pool, cutoff).await?);
    }
    plan.rows.retain(|_, rows| *rows > 0);
    Ok(plan)
}

async fn cutoff(
    pool: &PgPool,
    kind: Kind,
    settings: &RetentionSettings,
) -> sqlx::Result<Option<chrono::DateTime<chrono::Utc>>> {
    match kind.set_age(settings) {
        Some(age) => Ok(Some(db::ago(pool, age).await?)),
        None => Ok(None),
    }
}
