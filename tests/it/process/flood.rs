//! The real process under masses of connections, or with clients that do not read.
use std::{net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::{Home, Service};
use crate::support::{db::TestDb, eventually, seed::seed, soon};

/// The process's limit of open files.
const FILES: u32 = 384;
/// Connections per listener.
const FLOOD: usize = 400;
/// More than the sockets and buffers along the way can hold.
const LONG: i32 = 40_000;

fn address(base: &str) -> SocketAddr {
    base.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Opens connections and sends `text` on each, then nothing more.
async fn flood(base: &str, text: &str) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    for _ in 0..FLOOD {
        let mut connection = TcpStream::connect(address(base)).await.unwrap();
        // A rejected connection is part of the flood too.
        let _ = connection.write_all(text.as_bytes()).await;
        connections.push(connection);
    }
    connections
}

/// Uses a new connection.
async fn is_answered(service: &Service, url: String) -> bool {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let request = client.get(url).bearer_auth(&service.key).timeout(Duration::from_secs(20));
    request.send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
}

#[tokio::test]
async fn however_many_connect_its_own_files_are_left_to_it() {
    // For this process's ends of the connections.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let mut service = Service::of(home.spawn(home.command_with_files(FILES, &["serve"]))).await;
    service.key = home.key("tester").await;
    let told = service.process.log();
    let fewer = told.iter().find(|line| line["needed"].is_u64()).expect("it says so at the start");
    assert_eq!(fewer["files"], FILES);

    let events = format!(
        "GET /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        service.key
    );
    let token = "x".repeat(64);
    let half = format!("POST /webhooks/{token} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n");
    let mut all = Vec::new();
    for (base, text) in [
        (&service.api, "GET / HTTP/1.1\r\n"),
        (&service.api, &events),
        (&service.webhook, &half),
        (&service.ops, "GET /livez"),
    ] {
        all.push(flood(base, text).await);
    }
    for path in ["/livez", "/readyz"] {
        assert!(is_answered(&service, format!("{}{path}", service.ops)).await, "{path}");
    }
    let lists = (0..5).map(|_| is_answered(&service, format!("{}/v1/jobs", service.api)));
    assert_eq!(join_all(lists).await, [true; 5]);
    let unknown = format!("{}/webhooks/{token}", service.webhook);
    let answer = service.http.post(unknown).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    service.stop().await.success();
}

/// A client that has received the beginning of a response and reads no further.
async fn stalled(service: &Service, requests: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut connection = socket.connect(address(&service.api)).await.unwrap();
    connection.write_all(requests.as_bytes()).await.unwrap();
    let mut beginning = [0; 12];
    soon("an answer", connection.read_exact(&mut beginning)).await.unwrap();
    assert_eq!(beginning, *b"HTTP/1.1 200");
    connection
}

/// One client requests the API document again and again, another an export; both stop reading.
async fn readers(service: &Service, db: &TestDb) -> Vec<TcpStream> {
    seed(&db.pool, "tester", 1, LONG).await;
    let request = |path: &str| {
        let key = &service.key;
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\r\n")
    };
    let document = request("/openapi.json").repeat(20);
    let export = request("/v1/exports/utterances.ndjson");
    vec![stalled(service, &document).await, stalled(service, &export).await]
}

#[tokio::test]
async fn readers_that_stop_to_read_are_cut_off() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("AFTERCALL__HTTP__WRITE_TIMEOUT", "100ms");
    let service = Service::start(&home).await;
    let stalled = readers(&service, &db).await;
    let cut = |line: &Value| line["msg"].as_str().unwrap().starts_with("disconnected a client");
    eventually("both cut off", async || {
        let count = service.process.log().iter().filter(|line| cut(line)).count();
        (count == stalled.len()).then_some(())
    })
    .await;
    for mut connection in stalled {
        let mut rest = Vec::new();
        let ended = soon("the end", connection.read_to_end(&mut rest)).await;
        assert!(ended.is_err(), "nobody takes the beginning for the whole");
    }
    service.get("/v1/jobs").await;
    service.stop().await.success();
}

#[tokio::test]
async fn told_to_stop_it_does_not_wait_for_readers_that_do_not_read() {
    let db = TestDb::new().await;
    let home = Home::on(&db)
        .set("AFTERCALL__HTTP__WRITE_TIMEOUT", "1h")
        .set("AFTERCALL__SHUTDOWN__TIMEOUT", "300ms");
    let mut service = Service::start(&home).await;
    let _stalled = readers(&service, &db).await;
    service.process.signal(Signal::SIGTERM);
    service.process.logged("shutdown timeout exceeded; aborting").await;
    let told = service.process.ended().await.success();
    assert!(!told.contains("does not read"), "it waited until somebody lost patience");
}
