//! An emulator of the provider: speaks `RingCentral`'s wire contract, analyzes real audio, injects faults.
//!
//! A submission enters through `analyze` and becomes a job in the `ledger`; `work` turns it into a result, and
//! `deliver` sends that to the webhook. `docs/sandbox.md` separates facts about the provider from guesses.
mod analyze;
mod auth;
mod connection;
mod conversation;
mod decode;
mod deliver;
mod faults;
mod insights;
mod ledger;
mod media;
mod number;
mod rate;
mod refusal;
mod request;
mod samples;
mod script;
mod speech;
mod status;
mod transcript;
mod work;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use reqwest::redirect::Policy;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;
use uuid::Uuid;

pub use self::samples::SUPPORT_CALL;

use self::{
    auth::Sessions,
    connection::{Cut, Cuttable},
    faults::SandboxFaults,
    ledger::Ledger,
    rate::{Limiter, RateState},
    refusal::Refusal,
};
use crate::{
    config::{self, SandboxSettings},
    provider::wire,
    supervise::TaskResult,
};

/// A sandbox that is bound to its address but not serving yet.
pub struct Sandbox {
    listener: TcpListener,
    base_url: Url,
    emulator: Arc<Emulator>,
}

/// State shared by all endpoints and jobs.
struct Emulator {
    settings: Arc<SandboxSettings>,
    sessions: Sessions,
    heavy: Mutex<Limiter>,
    auth: Mutex<Limiter>,
    faults: SandboxFaults,
    ledger: Ledger,
    /// Downloads recordings; follows redirects.
    media: Clients,
    /// Delivers results; does not follow redirects.
    webhooks: Clients,
    /// Notified after each job's last delivery.
    delivered: Notify,
    jobs: TaskTracker,
    stop: CancellationToken,
}

/// Value of `RCRequestId` on the response.
#[derive(Debug, Clone)]
struct RequestId(String);

impl Sandbox {
    /// Binds the address and opens the ledger.
    ///
    /// # Errors
    /// When the address is taken, the ledger cannot be read or is in use, or the settings name an
    /// unknown fault or insight.
    pub async fn bind(settings: &SandboxSettings) -> anyhow::Result<Self> {
        let settings = Arc::new(settings.clone());
        for name in &settings.default_insights {
            let is_known = wire::INSIGHTS.contains(&name.as_str());
            anyhow::ensure!(is_known, "sandbox.default_insights: unknown insight {name}");
        }
        let seed = if settings.seed == 0 { rand::random() } else { settings.seed };
        let faults = SandboxFaults::new(&settings.faults, seed).context("sandbox.faults")?;
        if !settings.faults.is_empty() {
            tracing::info!(seed, faults = ?settings.faults, "sandbox: random faults enabled");
        }
        let ledger = Ledger::open(settings.ledger.as_deref(), settings.retention, now())?;
        let limiter = |group, limit| {
            let (window, penalty) = (settings.rate_window, settings.rate_penalty);
            Mutex::new(Limiter::new(group, limit, window, penalty))
        };
        let listener = TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("the sandbox cannot listen on {}", settings.listen))?;
        let emulator = Emulator {
            sessions: Sessions::default(),
            heavy: limiter("heavy", settings.rate_limit),
            auth: limiter("auth", settings.auth_rate_limit),
            faults,
            ledger,
            media: Clients::new(settings.media_timeout, || Policy::limited(10))?,
            webhooks: Clients::new(settings.delivery_timeout, Policy::none)?,
            delivered: Notify::new(),
            jobs: TaskTracker::new(),
            stop: CancellationToken::new(),
            settings,
        };
        Ok(Self {
            base_url: reachable(listener.local_addr()?)?,
            listener,
            emulator: Arc::new(emulator),
        })
    }

    /// URL at which clients on this machine reach it.
    pub fn base_url(&self) -> Url {
        self.base_url.clone()
    }

    /// URL of the bundled recording, for use as `contentUri`.
    pub fn recording_url(&self) -> Url {
        recording_at(&self.base_url)
    }

    /// Serves until `stop`. Unfinished jobs resume at the next start if there is a ledger; otherwise they are lost.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        let emulator = self.emulator;
        for job_id in emulator.ledger.unsettled() {
            emulator.start(job_id, None);
        }
        let app = router(Arc::clone(&emulator)).into_make_service_with_connect_info::<Cut>();
        let end = emulator.stop.clone();
        // Handlers may be waiting for a job (fault `early`), so jobs are stopped first.
        let until = async move {
            stop.cancelled().await;
            end.cancel();
        };
        axum::serve(Cuttable(self.listener), app).with_graceful_shutdown(until).await?;
        emulator.jobs.close();
        emulator.jobs.wait().await;
        Ok(())
    }
}

impl Emulator {
    /// Works on the job in the background until it is settled or the sandbox stops.
    fn start(self: &Arc<Self>, job_id: String, delivered: Option<oneshot::Sender<()>>) {
        let emulator = Arc::clone(self);
        self.jobs.spawn(async move {
            let stop = emulator.stop.clone();
            stop.run_until_cancelled(work::run(&emulator, &job_id, delivered)).await;
        });
    }

    /// Runs `answer` within rate group "Auth".
    fn in_auth_group(&self, answer: impl FnOnce() -> Result<Response, Refusal>) -> Response {
        let standing = locked(&self.auth).admit(Instant::now());
        let answer =
            if standing.retry_after.is_some() { Err(RateState::refusal()) } else { answer() };
        let mut response = answer.unwrap_or_else(IntoResponse::into_response);
        standing.write(response.headers_mut());
        response
    }
}

fn router(emulator: Arc<Emulator>) -> Router {
    let guarded = middleware::from_fn_with_state(Arc::clone(&emulator), in_heavy_group);
    let largest = config::bytes(emulator.settings.max_body);
    Router::new()
        .route(wire::ANALYZE_PATH, post(analyze::submit))
        .route(&format!("{}/{{job_id}}", wire::STATUS_PATH), get(status::show))
        .route_layer(guarded)
        .route(wire::TOKEN_PATH, post(auth::token_endpoint))
        .route(wire::REVOKE_PATH, post(auth::revoke_endpoint))
        .route("/media/{file}", get(samples::serve))
        .route("/livez", get(async || "ok\n"))
        .fallback(|| async { Refusal::platform(StatusCode::NOT_FOUND, "CMN-120", "Invalid URI") })
        .method_not_allowed_fallback(|| async {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            Refusal::platform(status, "CMN-104", "Method is not supported")
        })
        .layer(DefaultBodyLimit::max(largest))
        .layer(middleware::from_fn(with_request_id))
        .with_state(emulator)
}

/// URL of the bundled recording of the sandbox at `base`.
pub fn recording_at(base: &Url) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("/media/{}", samples::RECORDING));
    url
}

/// Checks the token, then the rate group "Heavy" that submissions and status requests share.
async fn in_heavy_group(
    State(emulator): State<Arc<Emulator>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) = emulator.sessions.check(request.headers(), &emulator.settings) {
        return refusal.into_response();
    }
    let standing = locked(&emulator.heavy).admit(Instant::now());
    let mut response = match standing.retry_after {
        Some(_) => RateState::refusal().into_response(),
        None => next.run(request).await,
    };
    standing.write(response.headers_mut());
    response
}

async fn with_request_id(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(HeaderName::from_static(wire::REQUEST_ID), value);
    }
    response
}

/// Replaces the unspecified address, which clients cannot connect to, with localhost.
fn reachable(mut address: SocketAddr) -> anyhow::Result<Url> {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(Url::parse(&format!("http://{address}"))?)
}

/// One client for addresses on this machine, bypassing any proxy, and one for all others.
struct Clients {
    near: reqwest::Client,
    far: reqwest::Client,
}

impl Clients {
    fn new(timeout: Duration, redirects: impl Fn() -> Policy) -> anyhow::Result<Self> {
        let builder = || reqwest::Client::builder().timeout(timeout).redirect(redirects());
        let context = "an HTTP client for the sandbox";
        let near = builder().no_proxy().build().context(context)?;
        Ok(Self { near, far: builder().build().context(context)? })
    }

    fn to(&self, url: &Url) -> &reqwest::Client {
        if config::is_here(url) { &self.near } else { &self.far }
    }
}

/// The data behind these locks is consistent between statements, so a panic does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox stands for another company's machine: it has no database whose clock could decide"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}
