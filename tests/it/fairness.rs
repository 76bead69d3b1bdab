//! What one caller uses leaves room for others.
use std::{net::SocketAddr, time::Duration};

use aftercall::{
    callers::{self, KeyTerms},
    config::Settings,
    http,
};
use axum::{
    body::Body,
    http::{Request, StatusCode, header, request::Builder},
};
use bytesize::ByteSize;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{answer::Answer, app::TestApp, eventually, seed::seed};

const UTTERANCES: &str = "/v1/exports/utterances.ndjson";
/// More than the sockets and buffers along the way can hold.
const LONG: i32 = 40_000;

/// The API on a real socket, and keys of two callers that each have a long export.
struct Stand {
    app: TestApp,
    url: String,
    http: reqwest::Client,
    other: String,
}

impl Stand {
    async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let app = TestApp::with(adjust).await;
        let other = key_of(&app, "other").await;
        seed(&app.db.pool, "app", 1, LONG).await;
        seed(&app.db.pool, "other", 1, 1).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{UTTERANCES}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(http::serve(listener, app.api.clone(), http::Terms::default(), stop));
        let http = reqwest::Client::builder().build().unwrap();
        Self { app, url, http, other }
    }

    async fn export(&self, key: &str) -> reqwest::Response {
        self.http.get(&self.url).bearer_auth(key).send().await.unwrap()
    }

    /// An export whose client stops reading after the beginning.
    async fn stalled(&self) -> (reqwest::Response, Vec<u8>) {
        let mut response = self.export(&self.app.key).await;
        assert_eq!(response.status(), 200);
        let first = response.chunk().await.unwrap().unwrap();
        (response, first.into())
    }
}

async fn key_of(app: &TestApp, caller: &str) -> String {
    let key = callers::create(&app.db.pool, caller, "test", KeyTerms::default()).await.unwrap();
    key.text.expose_secret().to_owned()
}

fn as_caller(app: &TestApp, key: &str, path: &str) -> Builder {
    let mut request = app.request("GET", path);
    let bearer = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().unwrap().insert(header::AUTHORIZATION, bearer);
    request
}

async fn ask_as(app: &TestApp, key: &str, path: &str) -> Answer {
    app.ask(as_caller(app, key, path)).await
}

fn refused(answer: &Answer, setting: &str) {
    let problem = answer.problem(429, "caller-limit");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(setting), "{detail}");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn who_takes_all_exports_and_stalls_leaves_some_to_others() {
    let stand = Stand::with(|_| {}).await;
    let _stalled = [stand.stalled().await, stand.stalled().await];
    refused(&stand.app.get(UTTERANCES).await, "api.max_exports_per_caller");
    let other = stand.export(&stand.other).await;
    assert_eq!(other.status(), 200);
    assert!(other.text().await.unwrap().ends_with("}\n"));
}

/// The first line of the response to an upload that is announced but never sent.
async fn stalled_upload(target: SocketAddr, key: &str, size: usize) -> String {
    let mut stream = TcpStream::connect(target).await.unwrap();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(stream).lines().next_line().await.unwrap().unwrap()
}

#[tokio::test]
async fn whose_upload_stalls_leaves_memory_to_others() {
    let size = 4 << 20;
    let app = TestApp::with(|settings| {
        settings.api.memory = ByteSize::mib(64);
        settings.api.memory_per_caller = ByteSize::mib(32);
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(http::serve(listener, app.api.clone(), http::Terms::default(), stop));
    let mut both: FuturesUnordered<_> =
        [0, 1].into_iter().map(|_| stalled_upload(target, &app.key, size)).collect();
    let refused = both.next().await.unwrap();
    assert_eq!(refused, "HTTP/1.1 429 Too Many Requests");
    app.submit().await;
    let other = key_of(&app, "other").await;
    let body = format!(r#"{{"encoding":"Wav","content":"{}"}}"#, "A".repeat(size - 64));
    let bearer = format!("Bearer {other}");
    let request = Request::post("/v1/jobs").header(header::AUTHORIZATION, bearer);
    assert_eq!(app.send(request, body).await.status, StatusCode::ACCEPTED);
}

/// Reads to the end, or until the stream is broken off (`false`).
async fn read_on(mut export: reqwest::Response, read: &mut Vec<u8>) -> bool {
    loop {
        match export.chunk().await {
            Ok(Some(more)) => read.extend(more),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The cursor to resume from: after the last whole line, to which `read` is truncated.
fn cursor(read: &mut Vec<u8>) -> String {
    let whole = read.iter().rposition(|byte| *byte == b'\n').unwrap();
    read.truncate(whole + 1);
    let last = read[..whole].rsplit(|byte| *byte == b'\n').next().unwrap();
    let last: Value = serde_json::from_slice(last).unwrap();
    format!("{}.{}", last["jobId"].as_str().unwrap(), last["seq"])
}

/// A stalled export is ended, releases its resources, and can be resumed.
async fn is_ended_and_resumed(stand: Stand) {
    let (stalled, mut read) = stand.stalled().await;
    let open = "select count(*) from pg_stat_activity
        where datname = current_database() and backend_xmin is not null and pid <> pg_backend_pid()";
    eventually("the end of its snapshot", async || {
        (stand.app.count(open).await == 0).then_some(())
    })
    .await;
    let next = async || {
        let answer = stand.app.get("/v1/exports/jobs.ndjson").await;
        (answer.status == StatusCode::OK).then_some(())
    };
    eventually("its place", next).await;
    assert!(!read_on(stalled, &mut read).await, "it passes for whole");
    loop {
        let path = format!("{}?cursor={}", stand.url, cursor(&mut read));
        let rest = stand.http.get(path).bearer_auth(&stand.app.key).send().await.unwrap();
        assert_eq!(rest.status(), 200);
        if read_on(rest, &mut read).await {
            break;
        }
    }
    let lines = read.split_inclusive(|byte| *byte == b'\n');
    let seqs = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()["seq"].as_i64());
    assert!(seqs.eq((0..LONG).map(|seq| Some(seq.into()))));
}

#[tokio::test]
async fn an_export_that_is_not_read_is_ended_and_goes_on_later() {
    let stand = Stand::with(|settings| {
        settings.api.max_exports_per_caller = 1;
        settings.api.export_timeout = Duration::from_millis(500);
    });
    is_ended_and_resumed(stand.await).await;
}

#[tokio::test]
async fn no_export_keeps_its_snapshot_for_longer_than_is_said() {
    let stand = Stand::with(|settings| {
        settings.api.max_exports_per_caller = 1;
        settings.api.export_max_time = Duration::from_secs(1);
    });
    is_ended_and_resumed(stand.await).await;
}

/// A response of which only the head has been read.
async fn held(app: &TestApp, request: Builder) -> axum::response::Response {
    app.api.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn requests_count_for_their_caller_until_their_answers_are_gone() {
    let app = TestApp::with(|settings| {
        settings.api.max_requests = 3;
        settings.api.max_requests_per_caller = 2;
    });
    let app = app.await;
    let other = key_of(&app, "other").await;
    let list = async || held(&app, app.request("GET", "/v1/jobs")).await;
    let both = [list().await, list().await];
    assert_eq!(both.each_ref().map(axum::response::Response::status), [200, 200]);
    refused(&app.get("/v1/jobs").await, "api.max_requests_per_caller");
    let of_other = held(&app, as_caller(&app, &other, "/v1/jobs")).await;
    assert_eq!(of_other.status(), 200);
    ask_as(&app, &key_of(&app, "third").await, "/v1/jobs").await.problem(503, "busy");
    drop((both, of_other));
    assert_eq!(app.get("/v1/jobs").await.status, StatusCode::OK);
}

#[tokio::test]
async fn waits_count_for_their_caller_and_not_as_requests() {
    let app = TestApp::with(|settings| {
        settings.api.max_waits = 2;
        settings.api.max_waits_per_caller = 1;
        settings.api.max_requests_per_caller = 1;
    });
    let app = app.await;
    app.feed_events();
    let id = app.submit().await;
    let wait = format!("/v1/jobs/{id}?wait=60");
    let asks = async {
        eventually("the wait", async || (app.feed.waiting() == 1).then_some(())).await;
        let job = format!("/v1/jobs/{id}");
        let is_no_request = async || (app.get(&job).await.status == StatusCode::OK).then_some(());
        eventually("another request's turn", is_no_request).await;
        refused(&app.get(&wait).await, "api.max_waits_per_caller");
        let cancel = app.request("POST", &format!("/v1/jobs/{id}/cancel"));
        assert_eq!(app.ask(cancel).await.status, StatusCode::OK);
    };
    let (answer, ()) = tokio::join!(app.get(&wait), asks);
    assert_eq!(answer.json()["state"], "canceled");
    assert_eq!(app.get(&wait).await.status, StatusCode::OK);
}

#[tokio::test]
async fn streams_count_for_their_caller() {
    let app = TestApp::with(|settings| settings.api.max_streams_per_caller = 1).await;
    app.feed_events();
    let other = key_of(&app, "other").await;
    let stream = held(&app, app.request("GET", "/v1/events")).await;
    assert_eq!(stream.status(), 200);
    refused(&app.get("/v1/events").await, "api.max_streams_per_caller");
    assert_eq!(held(&app, as_caller(&app, &other, "/v1/events")).await.status(), 200);
    drop(stream);
    assert_eq!(held(&app, app.request("GET", "/v1/events")).await.status(), 200);
}

#[tokio::test]
async fn a_revoked_key_ends_its_stream_its_wait_and_its_export() {
    let stand = Stand::with(|_| {}).await;
    let app = &stand.app;
    app.feed_events();
    let id = app.submit().await;
    let stream = held(app, app.request("GET", "/v1/events")).await;
    let (export, mut read) = stand.stalled().await;
    let path = format!("/v1/jobs/{id}?wait=60");
    let revoke = async {
        eventually("the wait", async || (app.feed.waiting() == 2).then_some(())).await;
        let id = app.key.split('_').nth(1).unwrap();
        assert!(callers::revoke(&app.db.pool, id).await.unwrap());
    };
    let (wait, ()) = tokio::join!(app.get(&path), revoke);
    wait.problem(401, "unauthorized");
    let body = http_body_util::BodyExt::collect(stream.into_body()).await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("event: bye\ndata: {\"because\":\"unauthorized\"}\n"), "{text}");
    let open = "select count(*) from pg_stat_activity
        where datname = current_database() and backend_xmin is not null and pid <> pg_backend_pid()";
    eventually("the end of the export", async || (app.count(open).await == 0).then_some(())).await;
    assert!(!read_on(export, &mut read).await);
}
