//! Assembles the service; the only module that may import every other one.
mod api;
mod backing_services;
mod database;
mod document;
mod files;
mod pages;
mod parts;
mod probe;
mod published;
mod reload;
mod seal_keys;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tracing::Instrument as _;
use url::Url;

use api::{Around, router};
pub use api::{api, document};
use backing_services::BackingServices;
pub use backing_services::{
    SandboxAddress, credentials, media_store, pool_options, private_cluster, reads,
    takes_submissions,
};
pub use database::{ToldToStop, migrate, migrate_at_start};
use database::{prepare, wait_for_database};
pub use parts::{Api, Parts, Receiver, Workers};
pub use probe::probe;
use reload::InUse;
pub use reload::{LoadSettings, Reloads};
pub use seal_keys::open as open_seal;

use crate::{
    config::{Role, Settings},
    console::{Entrance, Links},
    db::Primary,
    events,
    http::{self, OpsState, Terms},
    insights::search,
    metrics::Metrics,
    provider::{Account, Client, gate},
    public_hook::{HookTester, SelfTestKey},
    sampler,
    supervise::{self, Lifecycle, ShutdownTimeouts, TaskResult},
};

/// How long aborted parts may take to release their database connections.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A running service.
pub struct App {
    pub addresses: Addresses,
    /// `None` if this process does not serve the console.
    pub console: Option<Entrance>,
    pub db: PgPool,
    pub lifecycle: Lifecycle,
    parts: JoinSet<TaskResult>,
    timeouts: ShutdownTimeouts,
    backing: BackingServices,
    /// At the provider; none if no role needs it.
    accounts: Vec<Account>,
    in_use: InUse,
}

/// Addresses it listens on; port 0 in the settings becomes a real port here.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub api: Option<SocketAddr>,
    pub webhook: Option<SocketAddr>,
    pub ops: SocketAddr,
    /// Describes the database for people; contains no credentials.
    pub database: String,
    /// The sandbox, when it replaces the provider.
    pub sandbox: Option<SandboxAddress>,
}

/// Binds the listeners, waits for the database, migrates it and starts all parts of the configured roles. From now on
/// signals shut the process down gracefully.
///
/// The operators' listener serves from the beginning: alive, but not ready.
///
/// # Errors
/// When the database is not available or an address is in use; nothing keeps running then. [`ToldToStop`] when a signal
/// arrived while waiting for the database.
pub async fn start(settings: &Settings) -> anyhow::Result<App> {
    let lifecycle = Lifecycle::default();
    drain_on_signal(&lifecycle)?;
    let mut parts = JoinSet::new();
    let granted = files::grant(settings)?;
    let listeners = Listeners::bind(settings)?;
    let mut addresses = listeners.addresses()?;
    let store = media_store(settings)?;
    let (primary, backing) = backing_services::database(settings).await?;
    addresses.database.clone_from(&backing.database);
    let db = primary.pool().clone();
    let direct = backing_services::direct(settings)?;
    let started = Arc::new(AtomicBool::new(false));
    let health =
        OpsState::new(db.clone(), started.clone(), lifecycle.draining.clone(), takes_submissions);
    let Listeners { api, webhook, ops } = listeners;
    let metrics = if settings.ops.metrics { Metrics::new() } else { Metrics::default() };
    let terms = files::terms(settings, granted, &metrics);
    let router = http::ops(health.clone(), metrics.clone());
    parts.spawn(serve("ops", ops, router, terms.ops, lifecycle.clone()));
    let listening = wait_for_database(&primary, direct.as_ref(), settings, &lifecycle).await?;
    follow([Some(&primary), direct.as_ref()], &lifecycle, &mut parts);
    let seal = prepare(&db, settings).await?;
    let (provider, sandbox) = backing_services::provider(settings, &lifecycle, &mut parts).await?;
    addresses.sandbox = sandbox;

    let (mut common, recorder) = Parts::new(
        settings.clone().into(),
        db.clone(),
        lifecycle.clone(),
        seal.clone(),
        metrics.clone(),
        store,
    )?;
    common.listening = listening;
    parts.spawn(events::announce(db.clone(), common.announcer.clone(), lifecycle.stop.clone()));
    parts.spawn(recorder.run(lifecycle.draining.clone()));
    start_sampling(&common, metrics, &mut parts);
    let accounts = start_calling(&common, provider.as_ref(), addresses.webhook, &mut parts).await?;
    if let Some(listener) = api {
        read_from_replica(&mut common, &mut parts)?;
        let api = common.api(&granted.limited(&settings.api), health).await?;
        start_api(api, (listener, terms.api), &common, &mut parts);
    }
    if let Some(listener) = webhook {
        let receiver = common.receiver().await?;
        parts.spawn(receiver.ingest.run());
        parts.spawn(receiver.lookups.run());
        parts.spawn(serve("webhook", listener, receiver.router, terms.webhook, lifecycle.clone()));
    }
    test_public_hook(&common, &mut parts).await?;
    started.store(true, Ordering::Release);
    let console = entrance(settings, &addresses, &common.links)?;
    let timeouts = shutdown_timeouts(settings);
    let in_use = InUse { primary, direct, reads: common.reads, seal };
    Ok(App { addresses, console, db, lifecycle, parts, timeouts, backing, accounts, in_use })
}

/// Keeps each pool on the server that accepts writes, if the database has several.
fn follow(
    primaries: [Option<&Primary>; 2],
    lifecycle: &Lifecycle,
    parts: &mut JoinSet<TaskResult>,
) {
    for primary in primaries.into_iter().flatten().filter(|it| it.is_followed()) {
        parts.spawn(primary.clone().follow(lifecycle.stop.clone()));
    }
}

fn start_api(
    api: Api,
    (listener, terms): (TcpListener, Terms),
    common: &Parts,
    parts: &mut JoinSet<TaskResult>,
) {
    let (db, lifecycle) = (&common.db, &common.lifecycle);
    parts.spawn(api.listener.run());
    parts.spawn(api.writers.run());
    parts.spawn(api.watched_keys.run(db.clone(), lifecycle.stop.clone()));
    parts.spawn(api.replicas.run(db.clone(), lifecycle.draining.clone()));
    parts.spawn(serve("api", listener, api.router, terms, lifecycle.clone()));
}

/// Has the API read from a replica, if the database has one for that.
fn read_from_replica(common: &mut Parts, parts: &mut JoinSet<TaskResult>) -> anyhow::Result<()> {
    common.reads = reads(&common.settings, &common.db, &common.metrics)?;
    if let Some(watch) = common.reads.watch() {
        parts.spawn(watch.run(common.lifecycle.stop.clone()));
    }
    Ok(())
}

fn start_sampling(common: &Parts, metrics: Metrics, parts: &mut JoinSet<TaskResult>) {
    if metrics.is_on() {
        let (db, stop) = (&common.db, &common.lifecycle.stop);
        metrics.watch_pool(db);
        parts.spawn(common.sampler().run(stop.clone()));
        parts.spawn(sampler::probe_pool(db.clone(), metrics, stop.clone()));
    }
}

/// Everything that needs the provider; returns the accounts that it is called with.
async fn start_calling(
    common: &Parts,
    provider: Option<&Client>,
    webhook: Option<SocketAddr>,
    parts: &mut JoinSet<TaskResult>,
) -> anyhow::Result<Vec<Account>> {
    let Some(provider) = provider else { return Ok(Vec::new()) };
    let Parts { settings, db, lifecycle, .. } = common;
    gate::configure(db, &settings.provider.gates()).await?;
    let accounts = common.accounts(provider);
    let port = webhook.map_or(settings.webhook.listen.port(), |it| it.port());
    let workers = common.workers(accounts.clone(), webhook_base(settings, port)?);
    start_workers(workers, db, lifecycle, parts);
    start_notifying(common, parts);
    Ok(accounts)
}

/// The delivery of notifications, and what wakes it when another process has one to send.
fn start_notifying(common: &Parts, parts: &mut JoinSet<TaskResult>) {
    let draining = common.lifecycle.draining.clone();
    parts.spawn(common.deliverer().run(draining.clone()));
    parts.spawn(events::relay(common.listening.clone(), common.announcer.clone(), draining));
}

fn shutdown_timeouts(settings: &Settings) -> ShutdownTimeouts {
    let shutdown = &settings.shutdown;
    ShutdownTimeouts { drain_delay: shutdown.drain_delay, grace: shutdown.timeout }
}

impl App {
    /// Has the process reload its settings when it is asked to.
    pub fn reload_on(&mut self, reloads: Reloads) {
        let (used, lifecycle) = (self.in_use.clone(), self.lifecycle.clone());
        self.parts.spawn(reloads.run(used, self.accounts.clone(), lifecycle));
    }

    /// Runs until `lifecycle` requests a stop or a part fails.
    pub async fn run(self) -> TaskResult {
        let result = supervise::until_stopped(self.parts, &self.lifecycle, self.timeouts).await;
        let closed = async { tokio::join!(self.db.close(), self.in_use.reads.close()) };
        if timeout(LAST_WAIT, closed).await.is_err() {
            tracing::warn!("database connections are still in use; exiting anyway");
        }
        self.backing.stop().await;
        result
    }
}

/// The URL at which the provider reaches the webhook listener. `port`: where it listens on this machine.
pub fn webhook_base(settings: &Settings, port: u16) -> anyhow::Result<Url> {
    let configured = settings.webhook.public_url.as_ref();
    if let Some(url) = configured.or(settings.sandbox.webhook_url.as_ref()) {
        return Ok(url.clone());
    }
    Ok(Url::parse(&format!("http://127.0.0.1:{port}"))?)
}

fn entrance(
    settings: &Settings,
    addresses: &Addresses,
    links: &Links,
) -> anyhow::Result<Option<Entrance>> {
    let Some(api) = addresses.api.filter(|_| settings.console.enabled) else { return Ok(None) };
    let base = match &settings.api.public_url {
        Some(url) => url.clone(),
        None if api.ip().is_unspecified() => {
            Url::parse(&format!("http://localhost:{}", api.port()))?
        }
        None => Url::parse(&format!("http://{api}"))?,
    };
    Ok(Some(Entrance::new(&base, links.clone())))
}

fn start_workers(
    workers: Workers,
    db: &PgPool,
    lifecycle: &Lifecycle,
    parts: &mut JoinSet<TaskResult>,
) {
    let draining = &lifecycle.draining;
    parts.spawn(workers.dispatcher.run(draining.clone()));
    parts.spawn(workers.reconciler.run(draining.clone()));
    parts.spawn(workers.retention.run(draining.clone()));
    parts.spawn(search::keep_index_flushed(db.clone(), draining.clone()));
    parts.spawn(workers.rollup.run(draining.clone()));
    parts.spawn(workers.rotation.run(draining.clone()));
}

/// Tests the public webhook URL regularly, unless only the API runs here.
async fn test_public_hook(common: &Parts, parts: &mut JoinSet<TaskResult>) -> sqlx::Result<()> {
    let Parts { settings, db, lifecycle, metrics, .. } = common;
    let interval = settings.webhook.self_test;
    let is_due = settings.has_role(Role::Webhook) || settings.has_role(Role::Worker);
    if let Some(base) = settings.webhook.public_url.clone()
        && is_due
        && !interval.is_zero()
    {
        let key = SelfTestKey::load(db).await?;
        let tester = HookTester { db: db.clone(), key, base, interval, metrics: metrics.clone() };
        parts.spawn(tester.run(lifecycle.draining.clone()));
    }
    Ok(())
}

struct Listeners {
    api: Option<TcpListener>,
    webhook: Option<TcpListener>,
    ops: TcpListener,
}

impl Listeners {
    fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let has = |role| settings.has_role(role);
        let api = if has(Role::Api) { Some(bind(settings.api.listen)?) } else { None };
        let webhook = if has(Role::Webhook) { Some(bind(settings.webhook.listen)?) } else { None };
        Ok(Self { api, webhook, ops: bind(settings.ops.listen)? })
    }

    /// Addresses of the backing services are not known yet.
    fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses {
            api: self.api.as_ref().map(TcpListener::local_addr).transpose()?,
            webhook: self.webhook.as_ref().map(TcpListener::local_addr).transpose()?,
            ops: self.ops.local_addr()?,
            database: String::new(),
            sandbox: None,
        })
    }
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    http::bind(address).with_context(|| format!("cannot listen on {address}"))
}

async fn serve(
    name: &'static str,
    listener: TcpListener,
    router: Router,
    terms: Terms,
    lifecycle: Lifecycle,
) -> TaskResult {
    let span = tracing::info_span!("serve", listener = name);
    http::serve(listener, router, terms, lifecycle.stop).instrument(span).await;
    Ok(())
}

/// Starts draining on SIGTERM or Ctrl-C; a second signal exits immediately with 130.
pub fn drain_on_signal(lifecycle: &Lifecycle) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let draining = lifecycle.draining.clone();
    tokio::spawn(async move {
        let mut next =
            async || tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        tracing::info!("shutting down");
        draining.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(())
}
