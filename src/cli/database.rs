//! Opens the service's database for a command; joins the embedded one if it is running.
use anyhow::Context as _;
use sqlx::PgPool;

use crate::{
    app,
    config::Settings,
    db::{Primary, Servers},
    embedded::{self, Cluster},
};

pub struct Database {
    pub pool: PgPool,
    cluster: Option<Cluster>,
}

impl Database {
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let (servers, cluster) = if let Some(servers) = settings.database.servers()? {
            (servers, None)
        } else {
            let cluster = app::private_cluster(settings).await?;
            (Servers::one(cluster.connect_options(embedded::DATABASE)), Some(cluster))
        };
        let primary = Primary::open(servers, app::pool_options(settings))
            .await
            .context("cannot connect to the database")?;
        Ok(Self { pool: primary.pool().clone(), cluster })
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
