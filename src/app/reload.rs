//! Reloads the settings on SIGHUP. What a running process can take over is replaced, without disturbing anything in
//! progress; about everything else, the log says that it needs a restart.
use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, PgPool, postgres::PgConnectOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{backing_services, seal_keys};
use crate::{
    config::{ConfigError, DatabaseSettings, Loaded, Settings},
    db::{Primary, Servers, is_same_but_password},
    provider::{Account, gate},
    reads::Reads,
    seal::Seal,
    supervise::{Lifecycle, TaskResult},
    telemetry,
};

/// Loads the settings from their sources.
pub type LoadSettings = Box<dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync>;

/// What takes over reloaded settings.
#[derive(Clone)]
pub(super) struct InUse {
    pub primary: Primary,
    /// For listening, if `database.listen_url` is set.
    pub direct: Option<Primary>,
    pub reads: Reads,
    pub seal: Seal,
}

/// Requests to reload, and the settings in use.
pub struct Reloads {
    signal: Signal,
    load: LoadSettings,
    /// In use for everything that a reload can replace.
    current: Loaded,
    /// In use for everything else.
    at_start: Loaded,
    has_terminal: bool,
}

impl Reloads {
    /// From now on, SIGHUP no longer ends the process.
    pub fn listen(load: LoadSettings, loaded: Loaded) -> std::io::Result<Self> {
        Ok(Self {
            signal: signal(SignalKind::hangup())?,
            load,
            current: loaded.clone(),
            at_start: loaded,
            has_terminal: std::io::stdout().is_terminal(),
        })
    }

    /// Reloads at each request until the process shuts down.
    pub(super) async fn run(
        mut self,
        used: InUse,
        accounts: Vec<Account>,
        lifecycle: Lifecycle,
    ) -> TaskResult {
        loop {
            tokio::select! {
                () = lifecycle.draining.cancelled() => return Ok(()),
                _ = self.signal.recv() => {}
            }
            // A terminal that is closed sends SIGHUP as well.
            if self.has_terminal && !std::io::stdout().is_terminal() {
                lifecycle.draining.cancel();
                return Ok(());
            }
            if let Err(error) = self.reload(&used, &accounts).await {
                let error = &*error as &dyn std::error::Error;
                tracing::error!(error, "settings not reloaded; the previous ones stay in use");
            }
        }
    }

    /// Replaces all settings that can be replaced, or none.
    async fn reload(
        &mut self,
        InUse { primary, direct, reads, seal }: &InUse,
        accounts: &[Account],
    ) -> anyhow::Result<()> {
        let new = (self.load)()?;
        let changed: Vec<&str> = self.current.changed(&new).collect();
        let replaced: Vec<&str> =
            changed.into_iter().filter(|key| is_replaceable(key, &self.at_start, &new)).collect();
        let waiting: Vec<&str> = self
            .at_start
            .changed(&new)
            .filter(|key| !is_replaceable(key, &self.at_start, &new))
            .collect();
        let of = |section: &str| replaced.iter().any(|key| key.starts_with(section));

        let servers = if of("database.") { new.settings.database.servers()? } else { None };
        let database = found(servers, &new.settings.database).await?;
        let servers = if of("database.") { new.settings.database.listen_servers()? } else { None };
        let listening = found(servers, &new.settings.database).await?;
        let replica = new.settings.database.read_server()?;
        let credentials = backing_services::credentials(&new.settings)?;
        if of("seal.") {
            replace_keys(primary.pool(), seal, &new.settings).await?;
        }
        if of("log.") && !telemetry::set_filter(&new.settings.log.filter)? {
            tracing::warn!("log.filter has no effect, because RUST_LOG is set");
        }
        if let Some((servers, options)) = database {
            primary.replace(servers, options);
        }
        if let Some(((servers, options), direct)) = listening.zip(direct.as_ref()) {
            direct.replace(servers, options);
        }
        if let Some(replica) = replica.filter(|_| of("database.")) {
            reads.replace_replica(replica.first().clone());
        }
        if !accounts.is_empty() && (of("provider.") || of("sandbox.")) {
            for account in accounts {
                let further = new.settings.provider.accounts.get(&account.name);
                let credentials =
                    further.map_or_else(|| credentials.clone(), backing_services::credentials_of);
                account.client.replace_credentials(credentials).await;
            }
            // The old credentials may have been the reason for rejections.
            if let Err(error) = gate::retry_now(primary.pool()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the next submission waits for provider.gate.probe");
            }
        }
        tracing::info!(settings = replaced.join(", "), "settings reloaded");
        if !waiting.is_empty() {
            tracing::warn!(settings = waiting.join(", "), "changed settings need a restart");
        }
        self.at_start.settings.shown.replace(&replaced, &new);
        self.current = new;
        Ok(())
    }
}

/// Whether a running process can use the new value.
fn is_replaceable(key: &str, at_start: &Loaded, new: &Loaded) -> bool {
    let of = |loaded: &'_ Loaded| loaded.settings.database.clone();
    match key {
        "log.filter"
        | "provider.client_id"
        | "provider.client_secret"
        | "provider.jwt"
        | "seal.key" => true,
        key if key.starts_with("provider.accounts.") => {
            let is_credential =
                [".client_id", ".client_secret", ".jwt"].iter().any(|end| key.ends_with(end));
            let names = |loaded: &Loaded| {
                loaded.settings.provider.accounts.keys().cloned().collect::<Vec<_>>()
            };
            is_credential && names(at_start) == names(new)
        }
        // Otherwise the sandbox is part of this process and keeps the old ones.
        "sandbox.client_id" | "sandbox.client_secret" | "sandbox.jwt" => {
            !at_start.settings.has_provider() && at_start.settings.sandbox.url.is_some()
        }
        "database.password" => at_start.settings.database.url.is_some(),
        "database.url" => is_same_server(of(at_start).url.as_ref(), of(new).url.as_ref()),
        "database.read_url" => {
            is_same_server(of(at_start).read_url.as_ref(), of(new).read_url.as_ref())
        }
        "database.listen_url" => {
            is_same_server(of(at_start).listen_url.as_ref(), of(new).listen_url.as_ref())
        }
        _ => false,
    }
}

/// Whether there are such URLs, and they differ only in the password.
fn is_same_server(old: Option<&SecretString>, new: Option<&SecretString>) -> bool {
    old.zip(new)
        .is_some_and(|(old, new)| is_same_but_password(old.expose_secret(), new.expose_secret()))
}

/// Takes over the keys if they open what is sealed. Processes reload one after the other: add a new key below the others
/// everywhere before it becomes the first anywhere.
async fn replace_keys(db: &PgPool, seal: &Seal, settings: &Settings) -> anyhow::Result<()> {
    let Some(keys) = settings.seal.keys() else { bail!("seal.key cannot be unset while running") };
    let keys = keys.map_err(ConfigError)?;
    seal_keys::register(db, &Seal::new(keys.clone())).await?;
    seal.replace(keys);
    Ok(())
}

/// The servers with the new password, and the one of them that was connected to as a trial.
async fn found(
    servers: Option<Servers>,
    settings: &DatabaseSettings,
) -> anyhow::Result<Option<(Servers, PgConnectOptions)>> {
    let Some(servers) = servers else { return Ok(None) };
    let found = tokio::time::timeout(settings.acquire_timeout, servers.find()).await;
    let found = found.context("connecting with the new database password timed out")?;
    let (options, connection) = found.context("cannot connect with the new database password")?;
    connection.close().await?;
    Ok(Some((servers, options)))
}
