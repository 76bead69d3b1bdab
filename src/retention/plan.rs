//! What the next run would do, without doing it.
use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::Kind;
use crate::{config::RetentionSettings, db, jobs, media, notifications, partitions};

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PlannedRetention)]
pub struct Plan {
    /// Rows that would be deleted by table, including those of partitions that would be dropped.
    #[schema(value_type = HashMap<String, i64>)]
    pub rows: BTreeMap<&'static str, i64>,
    /// Partitions that would be dropped.
    pub partitions: Vec<PlannedDrop>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedDrop {
    pub name: String,
    pub bytes: i64,
}

/// Counts what is due now.
pub async fn plan(db: &mut PgConnection, settings: &RetentionSettings) -> sqlx::Result<Plan> {
    let mut plan = Plan::default();
    for (_, name, bytes) in partitions::detached(&mut *db).await? {
        plan.partitions.push(PlannedDrop { name, bytes });
    }
    let partitions = partitions::list(&mut *db).await?;
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_partitioned()) {
        let Some(age) = kind.age(settings) else { continue };
        let cutoff = db::ago(&mut *db, age).await?;
        for table in kind.tables() {
            plan.rows.insert(table, partitions::count_due(&mut *db, table, cutoff).await?);
            for month in partitions.iter().filter(|it| it.parent == *table) {
                if month.ends_at <= cutoff && !partitions::is_kept(&mut *db, month, cutoff).await? {
                    let (name, bytes) = (month.name.clone(), month.bytes);
                    plan.partitions.push(PlannedDrop { name, bytes });
                }
            }
        }
    }
    let jobs = cutoff(&mut *db, Kind::Jobs, settings).await?;
    let contents = cutoff(&mut *db, Kind::Contents, settings).await?;
    if jobs.is_some() || contents.is_some() {
        plan.rows.extend(jobs::count_due(&mut *db, jobs, contents).await?);
    }
    if let Some(cutoff) = cutoff(&mut *db, Kind::Media, settings).await? {
        plan.rows.insert("media", media::count_due(&mut *db, cutoff).await?);
    }
    if let Some(cutoff) = cutoff(&mut *db, Kind::Notifications, settings).await? {
        plan.rows.extend(notifications::count_due(&mut *db, cutoff).await?);
    }
    plan.rows.retain(|_, rows| *rows > 0);
    Ok(plan)
}

async fn cutoff(
    db: &mut PgConnection,
    kind: Kind,
    settings: &RetentionSettings,
) -> sqlx::Result<Option<chrono::DateTime<chrono::Utc>>> {
    match kind.set_age(settings) {
        Some(age) => Ok(Some(db::ago(&mut *db, age).await?)),
        None => Ok(None),
    }
}
