//! `aftercall migrate`: the one-off step before new replicas start.
use super::database::Database;
use crate::{app, config::Settings, partitions, telemetry};

pub async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, &settings.log.filter)?;
    let database = Database::open(&settings).await?;
    app::migrate(&settings, &database.pool).await?;
    let made = partitions::ensure(&database.pool, settings.retention.partitions_ahead).await?;
    tracing::info!(partitions_made = made, "the database is up to date");
    database.close().await;
    Ok(())
}
