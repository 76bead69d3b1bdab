//! The parts of the service, built from its settings. Nothing runs yet: the caller spawns a part, serves it, or calls
//! it step by step.
use std::sync::Arc;

use axum::Router;
use sqlx::PgPool;
use url::Url;

use super::{Around, backing_services::credentials_of};
use crate::{
    api::{ApiState, Bodies, MediaAccess, SessionTerms, Shared},
    callers::{KeyCache, KeyWatch, Replicas},
    config::{AccountGate, ApiSettings, Settings, bytes},
    console::{ConsoleState, Links},
    db,
    dispatch::Dispatcher,
    drift::{DriftCounter, Recorder},
    egress::Sender,
    events::{Feed, Listener, Listening},
    http::{self, Cursors, OpsState, Pace},
    insights::ResultLoader,
    intake::Writers,
    jobs::{Announcer, HotResults},
    media::{Store, Waveforms},
    metrics::Metrics,
    notify::Deliverer,
    provider::{self, Account, MediaHosts},
    public_hook::SelfTestKey,
    reads::Reads,
    reconcile::Reconciler,
    retention::{MediaSweep, Retention},
    rollup::Rollup,
    rotation::Rotation,
    sampler::Sampler,
    seal::Seal,
    supervise::Lifecycle,
    webhook::{
        self, HolderLimit, Limits, Lookups, MediaFetches, MemoryBudget, SelfTests, Tokens,
        UnknownTokenLimiter, Unproven, WebhookState, ingest::Ingest,
    },
};

/// State shared by all parts of a process.
#[derive(Debug, Clone)]
pub struct Parts {
    pub settings: Arc<Settings>,
    pub db: PgPool,
    /// On `db`, unless `database.listen_url` is set.
    pub listening: Listening,
    pub lifecycle: Lifecycle,
    pub announcer: Announcer,
    /// Results in the memory of the API.
    pub hot: HotResults,
    pub drift: DriftCounter,
    /// Seals stored secrets.
    pub seal: Seal,
    /// Sends messages to endpoints.
    pub sender: Sender,
    pub metrics: Metrics,
    /// Of uploaded recordings; `None` if none is configured.
    pub store: Option<Store>,
    /// One-time links to the console.
    pub links: Links,
    /// Of the API.
    pub reads: Reads,
}

/// The REST API: its routes, and the parts that must run beside them.
pub struct Api {
    pub router: Router,
    pub feed: Feed,
    pub listener: Listener,
    pub watched_keys: KeyWatch,
    pub replicas: Replicas,
    /// Must run until the listener is closed.
    pub writers: Writers,
}

/// The webhook listener: its routes, and the parts that must run until they are closed.
pub struct Receiver {
    pub router: Router,
    pub ingest: Ingest,
    pub lookups: Lookups,
}

/// The parts that call the provider and maintain the tables.
pub struct Workers {
    pub dispatcher: Dispatcher,
    pub reconciler: Reconciler,
    pub retention: Retention,
    pub rollup: Rollup,
    pub rotation: Rotation,
}

impl Parts {
    /// Also returns the part that records drift from the provider's contract.
    pub fn new(
        settings: Arc<Settings>,
        db: PgPool,
        lifecycle: Lifecycle,
        seal: Seal,
        metrics: Metrics,
        store: Option<Store>,
    ) -> reqwest::Result<(Self, Recorder)> {
        let (drift, recorder) = Recorder::new(db.clone(), metrics.clone());
        let hot = HotResults::new(bytes(settings.api.result_memory), metrics.clone());
        let announcer = Announcer::counting(metrics.clone()).forgetting(hot.clone());
        let sender = Sender::new(&settings.notify)?;
        let listening = Listening { db: db.clone(), is_possible: true };
        let links = Links::default();
        let reads = Reads::of_primary(db.clone());
        let parts = Self {
            settings,
            db,
            listening,
            lifecycle,
            announcer,
            hot,
            drift,
            seal,
            sender,
            metrics,
            store,
            links,
            reads,
        };
        Ok((parts, recorder))
    }

    /// `granted`: the API's settings, limited by the available files.
    pub async fn api(&self, granted: &ApiSettings, health: OpsState) -> sqlx::Result<Api> {
        let Self { settings, db, .. } = self;
        // Until the listener closes: clients disconnected earlier would reconnect to this process.
        let (feed, listener) =
            Feed::new(self.listening.clone(), self.hot.clone(), self.lifecycle.stop.clone());
        let watched_keys = KeyWatch::default();
        let state = ApiState::new(Shared {
            db: db.clone(),
            reads: self.reads.clone(),
            cursors: Cursors::new(db::service_secret(db, "cursor").await?),
            announcer: self.announcer.clone(),
            seal: self.seal.clone(),
            media_hosts: self.media_hosts(),
            url_margin: settings.dispatch.url_margin,
            gates: settings.provider.gates(),
            request_timeout: granted.request_timeout,
            deadline: settings.jobs.deadline,
            bodies: Bodies::new(granted),
            limits: settings.text_limits(),
            keys: settings.keys.clone(),
            known_keys: KeyCache::default(),
            sessions: self.session_terms(),
            watched_keys: watched_keys.clone(),
            feed: feed.clone(),
            export_pace: Pace {
                timeout: granted.export_timeout,
                bytes_a_second: u32::try_from(granted.export_min_rate.as_u64()).unwrap_or(u32::MAX),
                longest: granted.export_max_time,
            },
            results: ResultLoader::new(self.hot.clone()),
            media: MediaAccess::new(settings.media.clone(), self.store.clone(), self.waveforms()),
            metrics: self.metrics.clone(),
            notify: settings.notify.clone(),
            retention: settings.retention.clone(),
            settings: settings.shown.clone(),
            sender: self.sender.clone(),
        });
        let replicas = Replicas::default();
        let console = self.session_terms().map(|terms| ConsoleState {
            api: state.clone(),
            terms,
            links: self.links.clone(),
            environment: settings.shown.environment().into(),
        });
        let (submissions, writers) =
            Writers::new(state.clone(), &settings.submissions, granted.max_requests);
        let (metrics, counted) = (self.metrics.clone(), replicas.clone());
        let around = Around { console, health, submissions, replicas: counted, metrics };
        let router = super::router(state, around, settings, granted);
        Ok(Api { router, feed, listener, watched_keys, replicas, writers })
    }

    /// `None`: the console is off.
    fn session_terms(&self) -> Option<SessionTerms> {
        let Settings { console, api, .. } = &*self.settings;
        let only_https = api.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        let (lifetime, read_only) = (console.session, console.read_only);
        console.enabled.then_some(SessionTerms { lifetime, read_only, only_https })
    }

    pub async fn receiver(&self) -> sqlx::Result<Receiver> {
        let Self { settings, db, .. } = self;
        let (queue, ingest) =
            Ingest::new(db.clone(), self.announcer.clone(), self.seal.clone(), &settings.ingest);
        let (tokens, lookups) = Tokens::new(db.clone());
        let state = WebhookState {
            limits: Limits { raw: bytes(settings.webhook.max_body), text: settings.text_limits() },
            read_timeout: settings.webhook.read_timeout,
            memory: MemoryBudget::new(bytes(settings.ingest.memory)),
            unproven: Unproven::new(&settings.webhook, &settings.ingest),
            of_token: Arc::new(HolderLimit::new(settings.ingest.token_bodies)),
            tokens,
            queue,
            unknown_tokens: UnknownTokenLimiter::new(settings.webhook.unknown_tokens),
            drift: self.drift.clone(),
            self_tests: SelfTests::new(SelfTestKey::load(db).await?),
            media: MediaFetches::new(db.clone(), self.store.clone(), &settings.media),
            metrics: self.metrics.clone(),
        };
        let router = http::observed_only(webhook::router(state), "webhook", self.metrics.clone());
        Ok(Receiver { router, ingest, lookups })
    }

    fn waveforms(&self) -> Waveforms {
        let stop = self.lifecycle.stop.clone();
        Waveforms::new(self.db.clone(), self.settings.media.max_decodes, stop)
    }

    fn media_hosts(&self) -> MediaHosts {
        MediaHosts::new(&self.settings.provider.media_hosts)
    }

    pub fn sampler(&self) -> Sampler {
        Sampler {
            db: self.db.clone(),
            gates: self.settings.provider.gates(),
            retention: self.retention(),
            metrics: self.metrics.clone(),
        }
    }

    fn retention(&self) -> Retention {
        Retention {
            db: self.db.clone(),
            settings: self.settings.retention.clone(),
            media: self.store.clone().map(|store| {
                let orphans_after = self.settings.media.orphans_after;
                MediaSweep { store, orphans_after }
            }),
            announcer: self.announcer.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Sends notifications.
    pub fn deliverer(&self) -> Deliverer {
        Deliverer {
            db: self.db.clone(),
            seal: self.seal.clone(),
            sender: self.sender.clone(),
            settings: Arc::new(self.settings.notify.clone()),
            announcer: self.announcer.clone(),
        }
    }

    /// The accounts at the provider. `provider`: the client of the default one.
    pub fn accounts(&self, provider: &provider::Client) -> Vec<Account> {
        let settings = &self.settings.provider;
        let provider =
            provider.clone().recording(self.metrics.clone()).granting(self.media_hosts());
        let account = |gate: AccountGate| {
            let client = match settings.accounts.get(&gate.account) {
                Some(of) => provider.with_account(of.base_url.as_ref(), credentials_of(of)),
                None => provider.clone(),
            };
            Account::new(gate, client)
        };
        settings.gates().into_iter().map(account).collect()
    }

    /// `webhook_base`: the URL at which the provider reaches the webhook listener.
    pub fn workers(&self, accounts: Vec<Account>, webhook_base: Url) -> Workers {
        let Self { settings, db, .. } = self;
        let dispatcher = Dispatcher {
            db: db.clone(),
            accounts: accounts.clone(),
            settings: settings.dispatch.clone(),
            webhook_base,
            poll_after: settings.reconcile.after,
            announcer: self.announcer.clone(),
            seal: self.seal.clone(),
            media_hosts: self.media_hosts(),
        };
        let reconciler = Reconciler {
            db: db.clone(),
            accounts,
            settings: settings.reconcile.clone(),
            dispatch: settings.dispatch.clone(),
            drift: self.drift.clone(),
            announcer: self.announcer.clone(),
            seal: self.seal.clone(),
        };
        let retention = self.retention();
        let rollup = Rollup { db: db.clone(), metrics: self.metrics.clone() };
        let rotation = Rotation { db: db.clone(), seal: self.seal.clone() };
        Workers { dispatcher, reconciler, retention, rollup, rotation }
    }
}
