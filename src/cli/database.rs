//! Opens the service's database for a command; joins the embedded one if it is running.
use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sqlx::PgPool;

use crate::{
    app,
    config::Settings,
    db,
    embedded::{self, Cluster},
};

pub struct Database {
    pub pool: PgPool,
    cluster: Option<Cluster>,
}

impl Database {
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let (options, cluster) = if let Some(url) = &settings.database.url {
            (db::options(url.expose_secret(), settings.database.password.as_ref())?, None)
        } else {
            let cluster = app::private_cluster(settings).await?;
            (cluster.connect_options(embedded::DATABASE), Some(cluster))
        };
        let pool = db::connect(options, app::pool_options(settings))
            .await
            .context("cannot connect to the database")?;
        Ok(Self { pool, cluster })
    }

    pub async fn close(self) {
        self.pool.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

/// Runs `work` on the database, migrated first if the settings say so.
pub async fn with<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&PgPool) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let database = Database::open(settings).await?;
    app::migrate_at_start(settings, &database.pool).await?;
    let result = work(&database.pool).await;
    database.close().await;
    result
}
