//! Health and version: whether the process is alive, whether it is ready, and which build it is.
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;
use sqlx::PgPool;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::layers::bare;
use crate::{
    db,
    metrics::{CONTENT_TYPE, Metrics},
};

/// Longest wait for the database before it counts as unavailable.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long the result of a write probe is cached, for all requests.
const BELIEVED: Duration = Duration::from_secs(1);

/// Checks something that requests do not depend on.
pub type Check = fn(PgPool) -> Pin<Box<dyn Future<Output = sqlx::Result<bool>> + Send>>;

#[derive(Debug, Clone)]
pub struct OpsState {
    pub db: PgPool,
    /// Whether all listeners of this process are served.
    pub started: Arc<AtomicBool>,
    /// Canceled once the process is shutting down.
    pub draining: CancellationToken,
    /// Whether the provider accepts submissions. Does not affect readiness, since jobs can be queued meanwhile.
    pub provider: Check,
    /// When the database was last probed for writes, with the result.
    writes: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl OpsState {
    pub fn new(
        db: PgPool,
        started: Arc<AtomicBool>,
        draining: CancellationToken,
        provider: Check,
    ) -> Self {
        Self { db, started, draining, provider, writes: Arc::default() }
    }

    async fn takes_writes(&self) -> bool {
        let mut seen = self.writes.lock().await;
        if let Some((_, takes)) = seen.filter(|(since, _)| since.elapsed() < BELIEVED) {
            return takes;
        }
        let takes = matches!(timeout(TIMEOUT, db::probe_writes(&self.db)).await, Ok(Ok(())));
        *seen = Some((Instant::now(), takes));
        takes
    }
}

/// `/livez` does not check the database: an unavailable database is no reason to restart this process.
pub fn health(state: OpsState) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(state)
}

/// Health, `/version` and, if any are recorded, `/metrics`, for the operators' listener.
pub fn ops(state: OpsState, metrics: Metrics) -> Router {
    let mut routes = health(state).route("/version", get(version));
    if metrics.is_on() {
        let shown = metrics.clone();
        routes = routes.route("/metrics", get(async move || scraped(&shown)));
    }
    bare(routes, "ops", metrics)
}

/// Only formats what is in memory.
fn scraped(metrics: &Metrics) -> Response {
    match metrics.encode() {
        Some(Ok(text)) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Some(Err(error)) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn ready(State(state): State<OpsState>, RawQuery(query): RawQuery) -> Response {
    let migrated = timeout(TIMEOUT, db::is_migrated(&state.db)).await;
    let has_database = matches!(migrated, Ok(Ok(_)));
    let is_migrated = matches!(migrated, Ok(Ok(true)));
    let takes_writes = is_migrated && state.takes_writes().await;
    let is_draining = state.draining.is_cancelled();
    let is_ready = takes_writes && !is_draining && state.started.load(Ordering::Acquire);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |fine: bool| if fine { "ok" } else { "fail" };
    let mut body = json!({ "status": word(is_ready) });
    if !is_ready || query.is_some_and(|query| query.starts_with("verbose")) {
        let mut provider = None;
        if has_database {
            provider = Some(timeout(TIMEOUT, (state.provider)(state.db)).await);
        }
        body["checks"] = json!({
            "database": word(has_database),
            "migrations": word(is_migrated),
            "writes": word(takes_writes),
            "draining": is_draining,
            "provider": match provider {
                Some(Ok(Ok(is_well))) => word(is_well),
                _ => "unknown",
            },
        });
    }
    (status, Json(body)).into_response()
}

async fn version() -> Response {
    Json(json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") }))
        .into_response()
}
