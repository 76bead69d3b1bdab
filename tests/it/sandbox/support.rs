//! A running sandbox with a logged-in client, and a webhook receiver.
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use aftercall::{
    config::{self, SandboxSettings},
    provider::wire,
    sandbox::Sandbox,
    supervise::TaskResult,
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, RawQuery},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// The default settings on a free port, without waits.
pub fn settings() -> SandboxSettings {
    let mut settings = config::load(None).unwrap().settings.sandbox;
    settings.listen = "127.0.0.1:0".parse().unwrap();
    settings.latency = Duration::ZERO;
    settings.delivery_backoff = Duration::ZERO;
    settings
}

pub fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// A recording from `tests/fixtures/audio` in base64.
pub fn fixture(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
    base64(&std::fs::read(folder.join(file)).unwrap())
}

pub async fn bytes_of(url: &str) -> Vec<u8> {
    client().get(url).send().await.unwrap().bytes().await.unwrap().to_vec()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap()
}

pub struct Running {
    base: String,
    pub client: reqwest::Client,
    pub token: String,
    stop: CancellationToken,
    part: JoinHandle<TaskResult>,
}

impl Running {
    pub async fn start(settings: SandboxSettings) -> Self {
        let sandbox = Sandbox::bind(&settings).await.unwrap();
        let base = sandbox.base_url().as_str().trim_end_matches('/').to_owned();
        let stop = CancellationToken::new();
        let part = tokio::spawn(sandbox.run(stop.clone()));
        let mut running = Self { base, client: client(), token: String::new(), stop, part };
        running.log_in().await;
        running
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn stop(self) {
        self.stop.cancel();
        // The shutdown would wait for idle connections.
        drop(self.client);
        self.part.await.unwrap().unwrap();
    }

    pub async fn grant(&self, id: &str, secret: &str, jwt: &str) -> Response {
        let form = [("grant_type", wire::GRANT_TYPE), ("assertion", jwt)];
        let request = self.client.post(self.url(wire::TOKEN_PATH)).basic_auth(id, Some(secret));
        request.form(&form).send().await.unwrap()
    }

    pub async fn log_in(&mut self) {
        let answer = self.grant("sandbox-client", "sandbox-secret", "sandbox-jwt").await;
        let body: Value = answer.json().await.unwrap();
        self.token = body["access_token"].as_str().unwrap().to_owned();
    }

    pub async fn revoke(&self, token: &str) -> Response {
        let request = self.client.post(self.url(wire::REVOKE_PATH));
        let request = request.basic_auth("sandbox-client", Some("sandbox-secret"));
        request.form(&[("token", token)]).send().await.unwrap()
    }

    /// A submission of the bundled recording that requests everything.
    pub fn sample(&self) -> Value {
        json!({
            "contentUri": self.url("/media/support-call.wav"),
            "encoding": "Wav",
            "languageCode": "en-US",
            "source": "RingCentral",
            "audioType": "CallCenter",
            "separateSpeakerPerChannel": true,
            "enableVoiceActivityDetection": true,
            "enablePunctuation": true,
            "enableSpeakerDiarization": false,
            "insights": ["All"],
        })
    }

    pub async fn post(&self, path: &str, body: Value) -> Response {
        let request = self.client.post(self.url(path)).bearer_auth(&self.token);
        request.json(&body).send().await.unwrap()
    }

    pub async fn submit(&self, webhook: &str, body: Value) -> Response {
        let request = self.client.post(self.url(wire::ANALYZE_PATH)).bearer_auth(&self.token);
        request.query(&[("webhook", webhook)]).json(&body).send().await.unwrap()
    }

    pub async fn submit_with_faults(
        &self,
        webhook: &str,
        faults: &str,
    ) -> reqwest::Result<Response> {
        let request = self.client.post(self.url(wire::ANALYZE_PATH)).bearer_auth(&self.token);
        let request = request.query(&[("webhook", webhook)]).header("x-sandbox-faults", faults);
        request.json(&self.sample()).send().await
    }

    pub async fn status(&self, job_id: &str) -> Response {
        let url = self.url(&format!("{}/{job_id}", wire::STATUS_PATH));
        self.client.get(url).bearer_auth(&self.token).send().await.unwrap()
    }

    /// The only parameter that the submission is rejected for.
    pub async fn refusal(&self, body: Value) -> String {
        let answer = self.submit("http://127.0.0.1:9/", body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{body}");
        body["errors"][0]["parameterName"].as_str().unwrap().to_owned()
    }

    /// The `response` of a successful analysis.
    pub async fn result(&self, body: Value) -> Value {
        let mut receiver = Receiver::start().await;
        let answer = self.submit(&receiver.url(), body).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{:?}", answer.text().await);
        let mut delivery = receiver.next().await.json();
        assert_eq!(delivery["status"], "Success", "{delivery}");
        delivery["response"].take()
    }
}

/// A delivery as received.
#[derive(Debug)]
pub struct Delivery {
    pub headers: HeaderMap,
    pub query: String,
    pub body: Bytes,
}

impl Delivery {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A webhook receiver.
pub struct Receiver {
    url: String,
    arrivals: mpsc::UnboundedReceiver<Delivery>,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::answering(&[]).await
    }

    /// Responds with these statuses first, then with 200.
    pub async fn answering(statuses: &[u16]) -> Self {
        let (told, arrivals) = mpsc::unbounded_channel();
        let answers: VecDeque<u16> = statuses.iter().copied().collect();
        let answers = Arc::new(Mutex::new(answers));
        let receive = move |headers: HeaderMap, RawQuery(query): RawQuery, body: Bytes| {
            let query = query.unwrap_or_default();
            told.send(Delivery { headers, query, body }).unwrap();
            let answer = answers.lock().unwrap().pop_front().unwrap_or(200);
            std::future::ready(StatusCode::from_u16(answer).unwrap())
        };
        let app = Router::new().route("/hook", post(receive)).layer(DefaultBodyLimit::disable());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?attempt=1&job=2", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, arrivals }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The next delivery; fails instead of hanging when there is none.
    pub async fn next(&mut self) -> Delivery {
        let next = tokio::time::timeout(Duration::from_secs(20), self.arrivals.recv()).await;
        next.expect("no delivery within 20 s").unwrap()
    }

    /// A delivery that has already arrived.
    pub fn arrived(&mut self) -> Option<Delivery> {
        self.arrivals.try_recv().ok()
    }
}
