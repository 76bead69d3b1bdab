//! A receiver of notifications, as a caller would run it.
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Semaphore};

use crate::support::eventually;

/// Responds with what it was told to, at last with 200, and keeps what it got.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    got: Mutex<Vec<Got>>,
    answers: Mutex<VecDeque<(u16, Option<&'static str>)>>,
    /// A request takes one permit; none is left while it hangs.
    gate: Semaphore,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Inner {
            got: Mutex::default(),
            answers: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        };
        let this = Self { address, inner: Arc::new(inner) };
        let router = Router::new().fallback(receive).with_state(this.clone());
        // Runs until the test's runtime ends.
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    /// One that accepts connections and requests, and never responds.
    pub async fn hanging() -> Self {
        let this = Self::start().await;
        this.inner.gate.forget_permits(Semaphore::MAX_PERMITS);
        this
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?token=hush", self.address)
    }

    /// The next responses: statuses, with `Retry-After`.
    pub fn answers(&self, next: &[(u16, Option<&'static str>)]) {
        self.inner.answers.lock().unwrap().extend(next);
    }

    pub fn got(&self) -> Vec<Got> {
        self.inner.got.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.inner.got.lock().unwrap().len()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.got().iter().map(Got::kind).collect()
    }

    /// Everything it got, once there are that many requests.
    pub async fn wait_for(&self, count: usize) -> Vec<Got> {
        eventually("requests of the receiver", async || {
            let got = self.got();
            (got.len() >= count).then_some(got)
        })
        .await
    }
}

async fn receive(State(this): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    this.inner.got.lock().unwrap().push(Got { headers, body });
    let permit = this.inner.gate.acquire().await.unwrap();
    drop(permit);
    let (status, wait) = this.inner.answers.lock().unwrap().pop_front().unwrap_or((200, None));
    let mut response = (StatusCode::from_u16(status).unwrap(), "thanks").into_response();
    if let Some(wait) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, wait.parse().unwrap());
    }
    response
}
