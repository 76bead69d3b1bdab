//! An in-process provider that accepts every job, returns the same result for each, and counts
//! calls.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use aftercall::provider::wire;
use axum::{
    Json, Router,
    extract::{OriginalUri, Path, State},
    http::{Request, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::{answer::Answer, app::webhook_path, fixture};

#[derive(Clone)]
pub struct Provider {
    pub url: String,
    /// Where it delivers before it responds; `None`: nowhere.
    webhooks: Option<Router>,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Default)]
struct Calls {
    /// Submissions and polls per period.
    periods: Vec<(usize, usize)>,
    /// Jobs that have been polled.
    asked: HashSet<String>,
}

impl Provider {
    /// Delivers webhooks before the 202.
    pub async fn early(webhooks: Router) -> Self {
        Self::start(Some(webhooks)).await
    }

    /// Never delivers webhooks, and the first poll of every fifth job comes too early.
    pub async fn silent() -> Self {
        Self::start(None).await
    }

    async fn start(webhooks: Option<Router>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Calls { periods: vec![(0, 0)], asked: HashSet::new() };
        let provider = Self { url, webhooks, calls: Arc::new(Mutex::new(calls)) };
        let router = Router::new()
            .route(wire::TOKEN_PATH, post(grant))
            .route(wire::ANALYZE_PATH, post(analyze))
            .route(&format!("{}/{{id}}", wire::STATUS_PATH), get(status))
            .with_state(provider.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        provider
    }

    /// Submissions and polls of each period.
    pub fn calls(&self) -> Vec<(usize, usize)> {
        self.calls.lock().unwrap().periods.clone()
    }

    /// Starts a new period for counting.
    pub fn next_period(&self) {
        self.calls.lock().unwrap().periods.push((0, 0));
    }
}

async fn grant() -> Json<Value> {
    Json(json!({ "access_token": "token", "token_type": "bearer", "expires_in": 3600 }))
}

async fn analyze(State(provider): State<Provider>, OriginalUri(uri): OriginalUri) -> Response {
    let number = {
        let mut calls = provider.calls.lock().unwrap();
        calls.periods.last_mut().unwrap().0 += 1;
        calls.periods.iter().map(|(submissions, _)| submissions).sum::<usize>()
    };
    let id = format!("rc-{number}");
    if let Some(webhooks) = &provider.webhooks {
        let url = Url::parse(&provider.url).unwrap().join(&uri.to_string()).unwrap();
        let delivery = Request::post(webhook_path(&url)).body(result(&id).into()).unwrap();
        assert_eq!(Answer::of(webhooks, delivery).await.status, StatusCode::OK);
    }
    (StatusCode::ACCEPTED, Json(json!({ "jobId": id }))).into_response()
}

async fn status(State(provider): State<Provider>, Path(id): Path<String>) -> Response {
    let is_first = {
        let mut calls = provider.calls.lock().unwrap();
        calls.periods.last_mut().unwrap().1 += 1;
        calls.asked.insert(id.clone())
    };
    if is_first && id.ends_with(['0', '5']) {
        return Json(json!({ "jobId": id, "status": "InProgress" })).into_response();
    }
    result(&id).into_response()
}

fn result(id: &str) -> String {
    fixture("delivery-2023.json").replace("@jobId", id)
}
