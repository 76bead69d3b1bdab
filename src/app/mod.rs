//! Puts the pieces together; the only module that may import every other one.
mod api;
mod document;
mod files;
mod pages;
mod probe;
mod surroundings;

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
use secrecy::ExposeSecret as _;
use sqlx::PgPool;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};
use tracing::Instrument as _;
use url::Url;

pub use api::{api, document, router};
pub use probe::probe;
use surroundings::Surroundings;
pub use surroundings::{SandboxAddress, pool_options, private_cluster, takes_submissions};

use crate::{
    api::{ApiState, Shared},
    callers::{KeyCache, KeyWatch},
    config::{Role, Settings, bytes},
    db::{self, PoolOptions},
    dispatch::Dispatcher,
    drift::{Recorder, Tally},
    events::{self, Feed},
    http::{self, Bodies, Cursors, OpsState, Pace, Terms},
    insights::ResultLoader,
    provider,
    reconcile::Reconciler,
    rollup::Rollup,
    supervise::{self, Lifecycle, Outcome, Patience},
    sweep::Sweeper,
    webhook::{
        self, Limits, Lookups, Memory, Shares, Strangers, Tokens, Unproven, WebhookState,
        ingest::Ingest,
    },
};

/// How long what was aborted may take to let go of its connections to the database.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A running service.
pub struct App {
    pub addresses: Addresses,
    pub db: PgPool,
    pub lifecycle: Lifecycle,
    parts: JoinSet<Outcome>,
    patience: Patience,
    surroundings: Surroundings,
}

/// Where it listens; port 0 in the settings becomes a real one here.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub api: Option<SocketAddr>,
    pub webhook: Option<SocketAddr>,
    pub ops: SocketAddr,
    /// What the database is, for people; no credentials.
    pub database: String,
    /// Of the sandbox, when it takes the provider's place.
    pub sandbox: Option<SandboxAddress>,
}

/// Binds, waits for the database, migrates and starts every part of the configured roles. From now on
/// signals end the process in good order.
///
/// The operators' listener answers from the beginning: alive, and not ready.
///
/// # Errors
/// When the database cannot be had or an address is taken; nothing keeps running then.
/// [`ToldToStop`] when a signal came while the database was waited for.
pub async fn start(settings: &Settings) -> anyhow::Result<App> {
    let lifecycle = Lifecycle::default();
    drain_on_signal(&lifecycle)?;
    let mut parts = JoinSet::new();
    let granted = files::grant(settings)?;
    let listeners = Listeners::bind(settings)?;
    let mut addresses = listeners.addresses()?;
    let (db, surroundings) = surroundings::database(settings).await?;
    addresses.database.clone_from(&surroundings.database);
    let started = Arc::new(AtomicBool::new(false));
    let health =
        OpsState::new(db.clone(), started.clone(), lifecycle.draining.clone(), takes_submissions);
    let Listeners { api, webhook, ops } = listeners;
    let terms = files::terms(settings, granted);
    parts.spawn(serve("ops", ops, http::ops(health.clone()), terms.ops, lifecycle.clone()));
    wait_for_database(&db, settings, &lifecycle).await?;
    prepare(&db, settings).await?;
    let (provider, sandbox) = surroundings::provider(settings, &lifecycle, &mut parts).await?;
    addresses.sandbox = sandbox;

    let wake = Arc::new(Notify::new());
    let changed = Arc::new(Notify::new());
    parts.spawn(events::announce(db.clone(), changed.clone(), lifecycle.stop.clone()));
    let (drift, recorder) = Recorder::new(db.clone());
    parts.spawn(recorder.run(lifecycle.draining.clone()));
    if let Some(provider) = provider {
        let webhook_base = webhook_base(settings, &addresses)?;
        let common =
            Common { settings, db: &db, drift: &drift, changed: &changed, lifecycle: &lifecycle };
        start_workers(&common, &provider, webhook_base, &wake, &mut parts);
    }
    if let Some(listener) = api {
        // Until the listener closes: who waits is not sent away while he would come back here.
        let (feed, listener_of_events) = Feed::new(&db, lifecycle.stop.clone());
        parts.spawn(listener_of_events.run());
        let keys = KeyWatch::default();
        parts.spawn(keys.clone().run(db.clone(), lifecycle.stop.clone()));
        let state = ApiState::new(Shared {
            db: db.clone(),
            cursors: Cursors::new(db::service_secret(&db, "cursor").await?),
            wake_dispatcher: wake,
            changed: changed.clone(),
            gate: settings.provider.gate.clone(),
            deadline: settings.jobs.deadline,
            bodies: Bodies::new(&settings.api),
            limits: settings.text_limits(),
            known_keys: KeyCache::default(),
            watched_keys: keys,
            feed,
            export_pace: Pace::of_exports(&settings.api),
            results: ResultLoader::default(),
        });
        let router = router(state, health, &granted.limited(&settings.api));
        parts.spawn(serve("api", listener, router, terms.api, lifecycle.clone()));
    }
    if let Some(listener) = webhook {
        let (state, ingest, lookups) = webhook_state(settings, &db, drift, changed);
        parts.spawn(ingest.run());
        parts.spawn(lookups.run());
        let router = http::observed_only(webhook::router(state), "webhook");
        parts.spawn(serve("webhook", listener, router, terms.webhook, lifecycle.clone()));
    }
    started.store(true, Ordering::Release);
    let patience =
        Patience { drain_delay: settings.shutdown.drain_delay, grace: settings.shutdown.timeout };
    Ok(App { addresses, db, lifecycle, parts, patience, surroundings })
}

impl App {
    /// Runs until it is told to stop through `lifecycle`, or a part fails.
    pub async fn run(self) -> Outcome {
        let result = supervise::until_stopped(self.parts, &self.lifecycle, self.patience).await;
        if timeout(LAST_WAIT, self.db.close()).await.is_err() {
            tracing::warn!(
                "connections to the database are still in use; they end with the process"
            );
        }
        self.surroundings.stop().await;
        result
    }
}

/// A signal came before there was anything to run.
#[derive(Debug, thiserror::Error)]
#[error("told to stop while waiting for the database")]
pub struct ToldToStop;

async fn wait_for_database(
    db: &PgPool,
    settings: &Settings,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let options = db.connect_options();
    tokio::select! {
        there = db::wait_for(&options, settings.database.start_timeout) => {
            there.context("cannot connect to the database")
        }
        () = lifecycle.draining.cancelled() => Err(ToldToStop.into()),
    }
}

/// Brings the schema up to date, or insists that it is, and makes this month's partitions.
async fn prepare(db: &PgPool, settings: &Settings) -> anyhow::Result<()> {
    if settings.migrates_at_start() {
        migrate(settings, db).await?;
    }
    anyhow::ensure!(
        db::is_migrated(db).await?,
        "the database is not migrated and database.migrate is off; run `aftercall migrate`"
    );
    let settled = events::settle(db).await?;
    if settled > 0 {
        tracing::warn!(events = settled, "the database comes from another cluster");
    }
    let made = db::ensure_partitions(db, settings.retention.partitions_ahead).await?;
    tracing::info!(partitions_made = made, "database ready");
    Ok(())
}

/// Applies the migrations, through `database.migration_url` when there is one.
pub async fn migrate(settings: &Settings, db: &PgPool) -> anyhow::Result<()> {
    let password = settings.database.password.as_ref();
    let direct = match &settings.database.migration_url {
        Some(url) => {
            let one = PoolOptions { max_connections: 1, ..pool_options(settings) };
            Some(db::connect(db::options(url.expose_secret(), password)?, one).await?)
        }
        None => None,
    };
    db::migrate(direct.as_ref().unwrap_or(db)).await.context("cannot migrate the database")
}

/// Where the provider reaches the webhook listener.
fn webhook_base(settings: &Settings, addresses: &Addresses) -> anyhow::Result<Url> {
    let configured = settings.webhook.public_url.as_ref();
    if let Some(url) = configured.or(settings.sandbox.webhook_url.as_ref()) {
        return Ok(url.clone());
    }
    let port = addresses.webhook.map_or(settings.webhook.listen.port(), |address| address.port());
    Ok(Url::parse(&format!("http://127.0.0.1:{port}"))?)
}

/// What all workers have in common.
struct Common<'a> {
    settings: &'a Settings,
    db: &'a PgPool,
    drift: &'a Tally,
    changed: &'a Arc<Notify>,
    lifecycle: &'a Lifecycle,
}

fn start_workers(
    common: &Common<'_>,
    provider: &provider::Client,
    webhook_base: Url,
    wake: &Arc<Notify>,
    parts: &mut JoinSet<Outcome>,
) {
    let &Common { settings, db, drift, changed, lifecycle } = common;
    let dispatcher = Dispatcher {
        db: db.clone(),
        provider: provider.clone(),
        settings: settings.dispatch.clone(),
        gate: settings.provider.gate.clone(),
        webhook_base,
        poll_after: settings.reconcile.after,
        wake: wake.clone(),
        changed: changed.clone(),
    };
    let reconciler = Reconciler {
        db: db.clone(),
        provider: provider.clone(),
        settings: settings.reconcile.clone(),
        dispatch: settings.dispatch.clone(),
        gate: settings.provider.gate.clone(),
        drift: drift.clone(),
        changed: changed.clone(),
    };
    let sweeper = Sweeper { db: db.clone(), settings: settings.retention.clone() };
    parts.spawn(dispatcher.run(lifecycle.draining.clone()));
    parts.spawn(reconciler.run(lifecycle.draining.clone()));
    parts.spawn(sweeper.run(lifecycle.draining.clone()));
    parts.spawn(Sweeper::settle(db.clone(), lifecycle.draining.clone()));
    parts.spawn(Rollup { db: db.clone() }.run(lifecycle.draining.clone()));
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

    /// Those of the surroundings are not known yet.
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

/// The receiver's state, and what works for it until it is gone.
pub fn webhook_state(
    settings: &Settings,
    db: &PgPool,
    drift: Tally,
    changed: Arc<Notify>,
) -> (WebhookState, Ingest, Lookups) {
    let (queue, ingest) = Ingest::new(db.clone(), changed, &settings.ingest);
    let (tokens, lookups) = Tokens::new(db.clone());
    let state = WebhookState {
        limits: Limits { raw: bytes(settings.webhook.max_body), text: settings.text_limits() },
        patience: settings.webhook.read_timeout,
        memory: Memory::new(bytes(settings.ingest.memory)),
        unproven: Arc::new(Unproven::new(&settings.webhook, &settings.ingest)),
        of_token: Arc::new(Shares::new(settings.ingest.token_bodies)),
        tokens,
        queue,
        strangers: Arc::new(Strangers::new(settings.webhook.unknown_tokens)),
        drift,
    };
    (state, ingest, lookups)
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
) -> Outcome {
    let span = tracing::info_span!("serve", listener = name);
    http::serve(listener, router, terms, lifecycle.stop).instrument(span).await;
    Ok(())
}

/// Starts to drain on SIGTERM or Ctrl-C; a second signal ends the process at once with 130.
pub fn drain_on_signal(lifecycle: &Lifecycle) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let draining = lifecycle.draining.clone();
    tokio::spawn(async move {
        let mut next =
            async || tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        tracing::info!("told to stop");
        draining.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(())
}
