//! The database and the provider of the service, or their replacements where none is configured.
use std::pin::Pin;

use anyhow::Context as _;
use sqlx::PgPool;
use tokio::task::JoinSet;
use url::Url;

use super::probe;
use crate::{
    config::{
        self, AccountSettings, ConfigError, EmbeddedEnvironment, Role, Settings, StoreEnvironment,
    },
    db::{PoolOptions, Primary, Servers},
    embedded::{self, Cluster},
    media::{self, Store},
    metrics::Metrics,
    provider::{Client, Credentials, gate},
    reads::Reads,
    sandbox::{self, Sandbox},
    supervise::{Lifecycle, TaskResult},
};

/// Connections of the embedded server beyond the pool, for people with `psql`.
const SPARE_CONNECTIONS: u32 = 10;

/// Keeps the replacements alive until everything that uses them has ended.
pub struct BackingServices {
    /// Describes the database for people; contains no credentials.
    pub database: String,
    cluster: Option<Cluster>,
}

impl BackingServices {
    pub async fn stop(self) {
        if let Some(cluster) = self.cluster {
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

/// The configured database, which may not be up yet, or the private cluster.
pub async fn database(settings: &Settings) -> anyhow::Result<(Primary, BackingServices)> {
    if let Some(servers) = settings.database.servers()? {
        let primary = Primary::later(servers, pool_options(settings));
        let database = "as configured".to_owned();
        return Ok((primary, BackingServices { database, cluster: None }));
    }
    let cluster = private_cluster(settings).await?;
    let servers = Servers::one(cluster.connect_options(embedded::DATABASE));
    let primary = Primary::open(servers, pool_options(settings)).await?;
    let database = format!("a private Postgres, socket in {}", cluster.sockets().display());
    Ok((primary, BackingServices { database, cluster: Some(cluster) }))
}

/// Reads on `db`, or on its replica if one is configured.
pub fn reads(settings: &Settings, db: &PgPool, metrics: &Metrics) -> anyhow::Result<Reads> {
    let reads = Reads::of_primary(db.clone());
    let Some(server) = settings.database.read_server()? else { return Ok(reads) };
    let replica = Primary::later(server, pool_options(settings)).pool().clone();
    Ok(reads.with_replica(replica, settings.database.read_max_lag, metrics.clone()))
}

/// The servers of `database.listen_url`, if it is set.
pub fn direct(settings: &Settings) -> anyhow::Result<Option<Primary>> {
    let servers = settings.database.listen_servers()?;
    Ok(servers.map(|servers| Primary::later(servers, pool_options(settings))))
}

/// The store of uploaded recordings: the configured one, or a folder in the data directory if there is one.
pub fn media_store(settings: &Settings) -> anyhow::Result<Option<Store>> {
    let environment = EmbeddedEnvironment::read();
    let url = match &settings.media.store {
        Some(url) => Some(url.clone()),
        None if settings.database.url.is_none() || environment.data_dir.is_some() => {
            media::usual_folder(&embedded::data_root(&environment)?)
        }
        None => None,
    };
    let Some(url) = url else { return Ok(None) };
    let of = &settings.media;
    Store::open(&url, &of.spool, of.store_timeout, &StoreEnvironment::read()?).map(Some)
}

/// Starts or joins the cluster in the data folder.
pub async fn private_cluster(settings: &Settings) -> anyhow::Result<Cluster> {
    let connections = settings.database.max_connections + SPARE_CONNECTIONS;
    let options = embedded::Options::durable(EmbeddedEnvironment::read(), connections)?;
    let root = options.root.display().to_string();
    let cluster = Cluster::start(options).await?;
    cluster.create_database(embedded::DATABASE).await?;
    tracing::info!(folder = root, "no database configured; using a private Postgres");
    Ok(cluster)
}

/// The configured provider, or the sandbox with its address; `None` if no role needs one.
pub async fn provider(
    settings: &Settings,
    lifecycle: &Lifecycle,
    parts: &mut JoinSet<TaskResult>,
) -> anyhow::Result<(Option<Client>, Option<SandboxAddress>)> {
    if !settings.has_role(Role::Worker) {
        return Ok((None, None));
    }
    let p = &settings.provider;
    if let Some(base_url) = &p.base_url {
        return Ok((Some(Client::new(base_url, credentials(settings)?, p.timeout)?), None));
    }
    let credentials = credentials(settings)?;
    let mut of_sandbox = settings.sandbox.clone();
    if let Some(base_url) = &of_sandbox.url {
        let address = sandbox_elsewhere(base_url).await?;
        tracing::info!(
            url = config::shown_url(base_url),
            "no provider configured; using the sandbox at this URL"
        );
        let client = Client::new(base_url, credentials, p.timeout)?;
        return Ok((Some(client), Some(address)));
    }
    if of_sandbox.ledger.is_none() {
        let folder = embedded::data_root(&EmbeddedEnvironment::read())?;
        std::fs::create_dir_all(&folder).context("the data folder")?;
        of_sandbox.ledger = Some(folder.join("sandbox.jsonl"));
    }
    let sandbox = Sandbox::bind(&of_sandbox).await?;
    let address =
        SandboxAddress { base_url: sandbox.base_url(), recording_url: sandbox.recording_url() };
    tracing::info!(url = %address.base_url, "no provider configured; using the built-in sandbox");
    let client = Client::new(&address.base_url, credentials, p.timeout)?;
    parts.spawn(sandbox.run(lifecycle.stop.clone()));
    Ok((Some(client), Some(address)))
}

/// Whether the provider accepts submissions, judging by the last ones.
pub fn takes_submissions(db: PgPool) -> Pin<Box<dyn Future<Output = sqlx::Result<bool>> + Send>> {
    Box::pin(async move { Ok(gate::state(&db).await?.refusing.is_none()) })
}

/// The sandbox in another process, at `base_url`.
///
/// # Errors
/// When it does not respond: then neither a provider nor a sandbox is available.
async fn sandbox_elsewhere(base_url: &Url) -> Result<SandboxAddress, ConfigError> {
    let mut health = base_url.clone();
    health.set_path("/livez");
    if let Err(error) = probe(health).await {
        return Err(ConfigError(vec![format!(
            "provider.base_url and its credentials are not set, and there is no sandbox to use instead at \
             sandbox.url ({error:#})"
        )]));
    }
    let recording_url = sandbox::recording_at(base_url);
    Ok(SandboxAddress { base_url: base_url.clone(), recording_url })
}

/// The credentials for the provider, or for the sandbox that replaces it.
pub fn credentials(settings: &Settings) -> anyhow::Result<Credentials> {
    let (p, sandbox) = (&settings.provider, &settings.sandbox);
    if !settings.has_provider() {
        return Ok(Credentials {
            client_id: sandbox.client_id.clone(),
            client_secret: sandbox.client_secret.clone(),
            jwt: sandbox.jwt.clone(),
        });
    }
    Ok(Credentials {
        client_id: p.client_id.clone().context("provider.client_id is not set")?,
        client_secret: p.client_secret.clone().context("provider.client_secret is not set")?,
        jwt: p.jwt.clone().context("provider.jwt is not set")?,
    })
}

/// The credentials of a further account, which validation has made sure of.
pub fn credentials_of(account: &AccountSettings) -> Credentials {
    Credentials {
        client_id: account.client_id.clone().unwrap_or_default(),
        client_secret: account.client_secret.clone().unwrap_or_default(),
        jwt: account.jwt.clone().unwrap_or_default(),
    }
}

/// The sandbox and the recording bundled with it.
#[derive(Debug, Clone)]
pub struct SandboxAddress {
    pub base_url: Url,
    pub recording_url: Url,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sandbox_that_nobody_started_is_a_fault_of_the_configuration() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let text = sandbox_elsewhere(&nobody).await.unwrap_err().to_string();
        assert!(text.contains("provider.base_url") && text.contains("sandbox.url"), "{text}");
    }
}
