//! The whole service on its own database, with a stub as the provider.
mod stub;

use std::{
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicU8},
    time::Duration,
};

use aftercall::{
    app::{self, Api, Parts, Workers},
    callers::{self, KeyTerms, Replicas},
    config::{self, Allowed, Settings, StoreEnvironment},
    console::Links,
    dispatch::Dispatcher,
    drift::Recorder,
    events::{Feed, Listener, Listening, announce},
    http::OpsState,
    jobs::{Announcer, HotResults},
    media::Store,
    metrics::Metrics,
    notify::Deliverer,
    provider::{Client, gate, wire},
    reads::Reads,
    reconcile::Reconciler,
    sampler::Sampler,
    seal::{Keys, Seal},
    supervise::Lifecycle,
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header, request::Builder},
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use wiremock::{MockServer, ResponseTemplate};

pub use self::stub::{client_of, webhook_of, webhook_path};
use super::{answer::Answer, db::TestDb, scratch::Scratch};

/// The recording that [`TestApp::submit`] submits.
pub const RECORDING: &str = "https://media.example/calls/42.wav";
const WEBHOOK_BASE: &str = "https://in.example/after call?team=a b";

/// All stages, without running workers: tests call `drain` and `round`.
pub struct TestApp {
    pub provider: MockServer,
    pub api: Router,
    pub webhook: Router,
    pub dispatcher: Dispatcher,
    pub reconciler: Reconciler,
    pub recorder: Recorder,
    /// An API key of the caller `app`.
    pub key: String,
    pub draining: CancellationToken,
    /// Ends waits and streams.
    pub stop: CancellationToken,
    pub announcer: Announcer,
    pub metrics: Metrics,
    pub feed: Feed,
    /// The processes that share the rate limits; counted only when a test asks for it.
    pub replicas: Replicas,
    listener: Mutex<Option<Listener>>,
    parts: Parts,
    /// Priority of the next mock, counted down: the newest mock takes precedence.
    priority: AtomicU8,
    /// Of uploaded recordings.
    folder: Option<Scratch>,
    pub db: TestDb,
}

/// A job that the stub accepted.
pub struct Submitted {
    pub id: Uuid,
    /// Path of its webhook URL.
    pub webhook: String,
    /// `jobId` in the stub's 202.
    pub provider_job_id: String,
}

impl TestApp {
    /// Uses the built-in settings, except that the provider allows many calls.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::on(TestDb::new().await, adjust).await
    }

    /// On a database that may have rows.
    pub async fn on(db: TestDb, adjust: impl FnOnce(&mut Settings)) -> Self {
        let folder = Scratch::new();
        let store = folder_store(folder.path());
        Self { folder: Some(folder), ..Self::on_store(db, store, adjust).await }
    }

    /// With another store of recordings.
    pub async fn on_store(db: TestDb, store: Store, adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = config::load(None).unwrap().settings;
        settings.provider.gate.limit = 1000;
        settings.keys.rate_limit = 1_000_000;
        settings.keys.unknown_keys = 1_000_000;
        // Receivers of notifications are on this machine.
        settings.notify.allow.push(Allowed::Address([127, 0, 0, 1].into()));
        adjust(&mut settings);
        let provider = MockServer::start().await;
        let client = client_of(&provider.uri());
        let key = callers::create(&db.pool, "app", "test", KeyTerms::default()).await.unwrap();
        let (parts, recorder) = parts_of(settings, &db, store);
        let (router, feed, listener, replicas) = api(&parts).await;
        let receiver = parts.receiver().await.unwrap();
        // They run until the test's runtime ends.
        tokio::spawn(receiver.ingest.run());
        tokio::spawn(receiver.lookups.run());
        gate::configure(&db.pool, &parts.settings.provider.gates()).await.unwrap();
        let workers = workers(&parts, &client);
        let app = Self {
            api: router,
            webhook: receiver.router,
            dispatcher: workers.dispatcher,
            reconciler: workers.reconciler,
            recorder,
            key: key.text.expose_secret().to_owned(),
            priority: AtomicU8::new(250),
            draining: parts.lifecycle.draining.clone(),
            stop: parts.lifecycle.stop.clone(),
            announcer: parts.announcer.clone(),
            metrics: parts.metrics.clone(),
            feed,
            replicas,
            listener: Mutex::new(Some(listener)),
            parts,
            provider,
            folder: None,
            db,
        };
        let token = json!({ "access_token": "token", "token_type": "bearer", "expires_in": 3600 });
        app.stub("POST", wire::TOKEN_PATH, ResponseTemplate::new(200).set_body_json(token)).await;
        app.accept_submissions().await;
        app
    }

    /// Replaces the dispatcher and the reconciler, as a restart with other settings does.
    pub async fn restart(&mut self, adjust: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::clone(&self.parts.settings);
        adjust(&mut settings);
        self.parts.settings = settings.into();
        let gates = self.parts.settings.provider.gates();
        gate::configure(&self.db.pool, &gates).await.unwrap();
        let workers = workers(&self.parts, &client_of(&self.provider.uri()));
        self.dispatcher = workers.dispatcher;
        self.reconciler = workers.reconciler;
    }

    /// Starts the event feed, so that waits and streams receive events.
    pub fn feed_events(&self) {
        let listener = self.listener.lock().unwrap().take().unwrap();
        tokio::spawn(listener.run());
        tokio::spawn(announce(self.db.runtime.clone(), self.announcer.clone(), self.stop.clone()));
    }

    /// The API of another process on the same database, with a running event feed.
    pub async fn another_api(&self) -> Router {
        self.another_process(&self.db.runtime).await.0
    }

    /// The same with a separate pool; also returns its feed.
    pub async fn another_process(&self, db: &PgPool) -> (Router, Feed) {
        let reads = Reads::of_primary(db.clone());
        let listening = Listening { db: self.db.direct(db), is_possible: true };
        let memory = self.parts.settings.api.result_memory;
        let hot = HotResults::new(config::bytes(memory), self.metrics.clone());
        let announcer = self.announcer.clone().forgetting(hot.clone());
        let parts =
            Parts { db: db.clone(), reads, listening, announcer, hot, ..self.parts.clone() };
        let (router, feed, listener, _) = api(&parts).await;
        tokio::spawn(listener.run());
        (router, feed)
    }

    /// A request to the API with the key of `app`.
    pub fn request(&self, method: &str, path: &str) -> Builder {
        let bearer = format!("Bearer {}", self.key);
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(self.request("GET", path)).await
    }

    /// Sends a request without a body.
    pub async fn ask(&self, request: Builder) -> Answer {
        Answer::of(&self.api, request.body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path), body.to_string()).await
    }

    /// Sends a request with a JSON body.
    pub async fn send(&self, request: Builder, body: impl Into<Body>) -> Answer {
        let request = request.header(header::CONTENT_TYPE, "application/json");
        Answer::of(&self.api, request.body(body.into()).unwrap()).await
    }

    /// Delivers a body to a webhook URL.
    pub async fn deliver(&self, webhook: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(webhook).header(header::CONTENT_TYPE, "application/json");
        Answer::of(&self.webhook, request.body(body.into()).unwrap()).await
    }

    /// Submits the smallest valid request; the job is then queued.
    pub async fn submit(&self) -> Uuid {
        let answer =
            self.post("/v1/jobs", &json!({ "contentUri": RECORDING, "encoding": "Wav" })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        answer.id()
    }

    /// A new job that the provider has accepted.
    pub async fn submitted(&self) -> Submitted {
        let id = self.submit().await;
        self.dispatched(id).await
    }

    /// The same with an `externalId`.
    pub async fn submitted_as(&self, name: &str) -> Submitted {
        let body = json!({ "contentUri": RECORDING, "encoding": "Wav", "externalId": name });
        let id = self.post("/v1/jobs", &body).await.id();
        self.dispatched(id).await
    }

    /// Has the queued job accepted by the provider.
    pub async fn dispatched(&self, id: Uuid) -> Submitted {
        assert_eq!(self.dispatcher.drain().await, 1);
        let sent = self.submissions().await;
        let query = "select provider_job_id from aftercall.attempts where job_id = $1";
        let provider_job_id =
            sqlx::query_scalar(query).bind(id).fetch_one(&self.db.pool).await.unwrap();
        Submitted { id, webhook: webhook_of(sent.last().unwrap()), provider_job_id }
    }

    pub async fn job(&self, id: Uuid) -> Value {
        self.get(&format!("/v1/jobs/{id}")).await.json()
    }

    /// Kinds of the job's events, after checking that their numbers have no gaps and end in the
    /// job's version.
    pub async fn timeline(&self, id: Uuid) -> Vec<String> {
        let version = self.job(id).await["version"].as_u64().unwrap();
        let page = self.get(&format!("/v1/jobs/{id}/timeline?limit=200")).await.json();
        let events = page["data"].as_array().unwrap();
        let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=version).collect::<Vec<_>>());
        events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// Detail of the job's last event.
    pub async fn last_event(&self, id: Uuid) -> Value {
        let page = self.get(&format!("/v1/jobs/{id}/timeline?limit=200")).await.json();
        page["data"].as_array().unwrap().last().unwrap()["detail"].clone()
    }

    pub async fn attempt_outcomes(&self, id: Uuid) -> Vec<String> {
        let query = "select outcome from aftercall.attempts where job_id = $1 order by number";
        sqlx::query_scalar(query).bind(id).fetch_all(&self.db.pool).await.unwrap()
    }

    /// Outcomes of the job's deliveries, oldest first.
    pub async fn delivery_outcomes(&self, id: Uuid) -> Vec<String> {
        let query = "select outcome from aftercall.deliveries where job_id = $1 order by id";
        sqlx::query_scalar(query).bind(id).fetch_all(&self.db.pool).await.unwrap()
    }

    /// Runs a statement about one job, such as one that changes its times.
    pub async fn about(&self, id: Uuid, statement: &'static str) {
        let done = sqlx::query(statement).bind(id).execute(&self.db.pool).await.unwrap();
        assert_ne!(done.rows_affected(), 0, "{statement}");
    }

    /// Makes the job's next step due.
    pub async fn make_due(&self, id: Uuid) {
        self.about(
            id,
            "update aftercall.jobs set due_at = now() - interval '1 second' where id = $1",
        )
        .await;
    }

    /// Moves the job's deadline into the past, which makes its next step due.
    pub async fn pass_deadline(&self, id: Uuid) {
        self.about(
            id,
            "update aftercall.jobs set deadline_at = now() - interval '1 second',
                due_at = least(due_at, now() - interval '1 second') where id = $1",
        )
        .await;
    }

    /// The folder of uploaded recordings.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Sends notifications, on this process's pool or another one's.
    pub fn deliverer(&self) -> Deliverer {
        self.parts.deliverer()
    }

    pub fn seal(&self) -> &Seal {
        &self.parts.seal
    }

    pub fn links(&self) -> &Links {
        &self.parts.links
    }

    pub fn sampler(&self) -> Sampler {
        self.parts.sampler()
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.db.pool).await.unwrap()
    }
}

fn workers(parts: &Parts, client: &Client) -> Workers {
    parts.workers(parts.accounts(client), Url::parse(WEBHOOK_BASE).unwrap())
}

fn parts_of(settings: Settings, db: &TestDb, store: Store) -> (Parts, Recorder) {
    let (lifecycle, metrics) = (Lifecycle::default(), Metrics::new());
    let reads = app::reads(&settings, &db.runtime, &metrics).unwrap();
    let (settings, store) = (settings.into(), Some(store));
    let (mut parts, recorder) =
        Parts::new(settings, db.runtime.clone(), lifecycle, seal(), metrics, store).unwrap();
    if let Some(watch) = reads.watch() {
        tokio::spawn(watch.run(parts.lifecycle.stop.clone()));
    }
    parts.reads = reads;
    parts.listening = Listening { db: db.direct(&db.runtime), is_possible: true };
    (parts, recorder)
}

pub fn folder_store(folder: &Path) -> Store {
    let url = Url::from_file_path(folder).unwrap();
    Store::open(&url, "", Duration::from_secs(10), &StoreEnvironment::default()).unwrap()
}

/// The same for all tests, so that several apps and processes can share a database.
pub const SEAL_KEY: &str = "test:dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=";

pub fn seal() -> Seal {
    Seal::new(Keys::parse(SEAL_KEY).unwrap())
}

/// With its parts that run until the test's runtime ends.
async fn api(parts: &Parts) -> (Router, Feed, Listener, Replicas) {
    let Parts { settings, db, lifecycle, .. } = parts;
    let (started, draining) = (Arc::new(true.into()), lifecycle.draining.clone());
    let health = OpsState::new(db.clone(), started, draining, app::takes_submissions);
    let Api { router, feed, listener, watched_keys, replicas, writers } =
        parts.api(&settings.api, health).await.unwrap();
    tokio::spawn(watched_keys.run(db.clone(), lifecycle.draining.clone()));
    tokio::spawn(writers.run());
    (router, feed, listener, replicas)
}
