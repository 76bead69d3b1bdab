//! What the service stands on: a database and a provider, its own stand-ins where none is configured.
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sqlx::PgPool;
use tokio::task::JoinSet;
use url::Url;

use crate::{
    config::{EmbeddedEnvironment, Role, Settings},
    db::{self, PoolOptions},
    embedded::{self, Cluster},
    provider::{Client, Credentials},
    sandbox::Sandbox,
    supervise::{Lifecycle, Outcome},
};

/// Connections of the embedded server that its pool leaves to people with `psql`.
const SPARE_CONNECTIONS: u32 = 10;

/// Keeps the stand-ins alive until everything that uses them has ended.
pub struct Surroundings {
    /// What the database is, for people; no credentials.
    pub database: String,
    cluster: Option<Arc<Cluster>>,
}

impl Surroundings {
    pub async fn stop(self) {
        if let Some(cluster) = self.cluster.and_then(Arc::into_inner) {
            cluster.stop().await;
        }
    }
}

pub fn pool_options(settings: &Settings) -> PoolOptions {
    PoolOptions {
        max_connections: settings.database.max_connections,
        acquire_timeout: settings.database.acquire_timeout,
    }
}

/// The configured database, or the private cluster.
pub async fn database(
    settings: &Settings,
    lifecycle: &Lifecycle,
    parts: &mut JoinSet<Outcome>,
) -> anyhow::Result<(PgPool, Surroundings)> {
    if let Some(url) = &settings.database.url {
        let options = db::options(url.expose_secret())?;
        let db = db::connect(options, pool_options(settings))
            .await
            .context("cannot connect to the database")?;
        return Ok((db, Surroundings { database: "as configured".to_owned(), cluster: None }));
    }
    let cluster = Arc::new(private_cluster(settings).await?);
    let options = cluster.connect_options(embedded::DATABASE);
    let db = db::connect(options, pool_options(settings)).await?;
    parts.spawn(watch(cluster.clone(), lifecycle.clone()));
    let database = format!("a private Postgres, socket in {}", cluster.sockets().display());
    Ok((db, Surroundings { database, cluster: Some(cluster) }))
}

/// Starts, or joins, the cluster in the data folder.
pub async fn private_cluster(settings: &Settings) -> anyhow::Result<Cluster> {
    let connections = settings.database.max_connections + SPARE_CONNECTIONS;
    let options = embedded::Options::durable(EmbeddedEnvironment::read(), connections)?;
    let root = options.root.display().to_string();
    let cluster = Cluster::start(options).await?;
    cluster.create_database(embedded::DATABASE).await?;
    tracing::info!(folder = root, "no database is configured: using a private Postgres");
    Ok(cluster)
}

async fn watch(cluster: Arc<Cluster>, lifecycle: Lifecycle) -> Outcome {
    tokio::select! {
        () = lifecycle.stop.cancelled() => Ok(()),
        reason = cluster.gone() => Err(anyhow::anyhow!("the private Postgres is gone: {reason}")),
    }
}

/// The configured provider, or the sandbox and its address; `None` where no role needs one.
pub async fn provider(
    settings: &Settings,
    lifecycle: &Lifecycle,
    parts: &mut JoinSet<Outcome>,
) -> anyhow::Result<(Option<Client>, Option<SandboxAddress>)> {
    if !settings.has_role(Role::Worker) {
        return Ok((None, None));
    }
    let p = &settings.provider;
    if let (Some(base_url), Some(client_id), Some(client_secret), Some(jwt)) =
        (&p.base_url, &p.client_id, &p.client_secret, &p.jwt)
    {
        let credentials = Credentials {
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            jwt: jwt.clone(),
        };
        return Ok((Some(Client::new(base_url, credentials, p.timeout)?), None));
    }
    let mut of_sandbox = settings.sandbox.clone();
    if of_sandbox.ledger.is_none() {
        let folder = embedded::data_root(&EmbeddedEnvironment::read())?;
        std::fs::create_dir_all(&folder).context("the data folder")?;
        of_sandbox.ledger = Some(folder.join("sandbox.jsonl"));
    }
    let sandbox = Sandbox::bind(&of_sandbox).await?;
    let address =
        SandboxAddress { base_url: sandbox.base_url(), recording_url: sandbox.recording_url() };
    tracing::info!(url = %address.base_url, "no provider is configured: using the sandbox");
    let credentials = Credentials {
        client_id: of_sandbox.client_id,
        client_secret: of_sandbox.client_secret,
        jwt: of_sandbox.jwt,
    };
    let client = Client::new(&address.base_url, credentials, p.timeout)?;
    parts.spawn(sandbox.run(lifecycle.stop.clone()));
    Ok((Some(client), Some(address)))
}

/// Where the sandbox in the box is, and the recording it ships.
#[derive(Debug, Clone)]
pub struct SandboxAddress {
    pub base_url: Url,
    pub recording_url: Url,
}
