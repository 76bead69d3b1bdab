//! Reloads the settings on SIGHUP. What a running process can take over is replaced, without disturbing anything in
//! progress; about everything else, the log says that it needs a restart.
use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

use super::{backing_services, seal_keys};
use crate::{
    config::{ConfigError, Loaded, Settings},
    db,
    provider::{self, gate},
    seal::Seal,
    supervise::{Lifecycle, TaskResult},
    telemetry,
};

/// Loads the settings from their sources.
pub type LoadSettings = Box<dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync>;

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
        db: PgPool,
        seal: Seal,
        provider: Option<provider::Client>,
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
            if let Err(error) = self.reload(&db, &seal, provider.as_ref()).await {
                let error = &*error as &dyn std::error::Error;
                tracing::error!(error, "settings not reloaded; the previous ones stay in use");
            }
        }
    }

    /// Replaces all settings that can be replaced, or none.
    async fn reload(
        &mut self,
        db: &PgPool,
        seal: &Seal,
        provider: Option<&provider::Client>,
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

        let options = if of("database.") { Some(database(&new.settings).await?) } else { None };
        let credentials = backing_services::credentials(&new.settings)?;
        if of("seal.") {
            replace_keys(db, seal, &new.settings).await?;
        }
        if of("log.") && !telemetry::set_filter(&new.settings.log.filter)? {
            tracing::warn!("log.filter has no effect, because RUST_LOG is set");
        }
        if let Some(options) = options {
            db.set_connect_options(options);
        }
        if let Some(provider) = provider.filter(|_| of("provider.") || of("sandbox.")) {
            provider.replace_credentials(credentials).await;
            // The old credentials may have been the reason for rejections.
            if let Err(error) = gate::retry_now(db).await {
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
    match key {
        "log.filter"
        | "provider.client_id"
        | "provider.client_secret"
        | "provider.jwt"
        | "seal.key" => true,
        // Otherwise the sandbox is part of this process and keeps the old ones.
        "sandbox.client_id" | "sandbox.client_secret" | "sandbox.jwt" => {
            !at_start.settings.has_provider() && at_start.settings.sandbox.url.is_some()
        }
        "database.password" => at_start.settings.database.url.is_some(),
        "database.url" => is_same_server(&at_start.settings, &new.settings),
        _ => false,
    }
}

/// Whether the URLs differ only in the password.
fn is_same_server(old: &Settings, new: &Settings) -> bool {
    let without_password = |settings: &Settings| {
        let mut url = Url::parse(settings.database.url.as_ref()?.expose_secret()).ok()?;
        url.set_password(None).ok()?;
        Some(url)
    };
    without_password(old).is_some_and(|old| without_password(new).is_some_and(|new| old == new))
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

/// The options for new connections, tried once.
async fn database(settings: &Settings) -> anyhow::Result<PgConnectOptions> {
    let configured = &settings.database;
    let url = configured.url.as_ref().context("database.url is not set")?;
    let options = db::options(url.expose_secret(), configured.password.as_ref())?;
    let connecting = PgConnection::connect_with(&options);
    let connected = tokio::time::timeout(configured.acquire_timeout, connecting).await;
    let connection = connected.context("connecting with the new database password timed out")?;
    connection.context("cannot connect with the new database password")?.close().await?;
    Ok(options)
}
