//! `/v1/endpoints`: URLs at which callers are notified, their secrets, and tests of them.
mod changes;
mod create;
mod deliver;
mod document;
mod secrets;

use aftercall::{
    callers::{self, KeyTerms, Scope},
    config::Settings,
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use bytes::Bytes;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::{net::TcpListener, sync::mpsc};

use crate::support::{answer::Answer, app::TestApp};

const ENDPOINTS: &str = "/v1/endpoints";
const SCOPES: &[Scope] = &[Scope::NotifyWrite, Scope::TranscriptRead];

/// A service, and a key of its caller `app` for endpoints.
struct Stand {
    app: TestApp,
    key: String,
}

impl Stand {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let app = TestApp::with(adjust).await;
        let key = key(&app, "app", SCOPES).await;
        Self { app, key }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send_as(&self.key, method, path, body).await
    }

    async fn send_as(&self, key: &str, method: &str, path: &str, body: &Value) -> Answer {
        Answer::of(&self.app.api, request(key, method, path, body)).await
    }

    async fn post(&self, path: &str) -> Answer {
        Answer::of(&self.app.api, bare(&self.key, "POST", path)).await
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(&self.app.api, bare(&self.key, "GET", path)).await
    }

    /// A new endpoint at this URL; returns its path and its secret.
    async fn endpoint(&self, url: &str) -> (String, String) {
        let created = self.send("POST", ENDPOINTS, &json!({ "url": url })).await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        let secret = created.json()["secret"].as_str().unwrap().to_owned();
        (created.header("location").to_owned(), secret)
    }

    async fn set(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.app.db.pool).await.unwrap();
    }
}

async fn key(app: &TestApp, caller: &str, scopes: &[Scope]) -> String {
    let terms = KeyTerms { scopes, ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, caller, "notify", terms).await.unwrap();
    key.text.expose_secret().to_owned()
}

fn bare(key: &str, method: &str, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.header(header::AUTHORIZATION, format!("Bearer {key}")).body(Body::empty()).unwrap()
}

fn request(key: &str, method: &str, path: &str, body: &Value) -> Request<Body> {
    let mut request = bare(key, method, path);
    request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    *request.body_mut() = body.to_string().into();
    request
}

/// What a receiver got.
type Arrivals = mpsc::UnboundedReceiver<(HeaderMap, Bytes)>;

/// A receiver that responds like this; returns its URL, which has a credential.
async fn receiver(
    respond: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> (String, Arrivals) {
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let respond = any(move |headers, body| {
        let _ = arrived.send((headers, body));
        std::future::ready(respond.clone()())
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=hush", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(respond)).into_future());
    (url, arrivals)
}

async fn content_receiver() -> (String, Arrivals) {
    receiver(|| StatusCode::OK.into_response()).await
}

/// Whether the official library accepts it.
fn verifies(secret: &str, (headers, body): &(HeaderMap, Bytes)) -> bool {
    Webhook::new(secret).unwrap().verify(body, headers).is_ok()
}
