//! `aftercall migrate`: the one-off step before new replicas start.
use super::{database::Database, output};
use crate::{app, config::Settings, db, partitions, telemetry};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the statements that create the roles, for an administrator, and do nothing else.
    #[arg(long)]
    print_roles: bool,
}

pub async fn run(
    args: Args,
    settings: impl FnOnce() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    if args.print_roles {
        return output::print(db::ROLES);
    }
    let settings = settings()?;
    telemetry::init(settings.log.format, &settings.log.filter)?;
    let database = Database::open(&settings).await?;
    app::migrate(&settings, &database.pool).await?;
    let made = partitions::ensure(&database.pool, settings.retention.partitions_ahead).await?;
    tracing::info!(partitions_made = made, "the database is up to date");
    database.close().await;
    Ok(())
}
