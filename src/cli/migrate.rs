//! `aftercall migrate`: the one-shot step before new replicas start.
use crate::{
    app,
    config::Settings,
    db::{self},
    telemetry,
};

pub async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, "info,sqlx=warn")?;
    let database = super::keys::open(&settings).await?;
    app::migrate(&settings, &database.pool).await?;
    let made = db::ensure_partitions(&database.pool, settings.retention.partitions_ahead).await?;
    tracing::info!(partitions_made = made, "the database is up to date");
    database.close().await;
    Ok(())
}
