//! Whatever is sent, labels have few values.
use aftercall::{
    callers::{self, KeyTerms},
    http::{self, Terms},
};
use axum::{body::Body, http::Request};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::scrape::scraped;
use crate::support::{
    answer::Answer,
    app::{RECORDING, TestApp},
};

#[tokio::test]
async fn hostile_requests_add_no_labels_of_their_own() {
    let app = TestApp::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = app.metrics.listener("api", Some(7));
    let terms = Terms { metrics, ..Terms::default() };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(http::serve(listener, app.api.clone(), terms, stop.clone()));
    for n in 0..20 {
        for head in [
            format!("CANARY{n} /v1/jobs HTTP/1.1"),
            format!("GET /canary/{n}?token=canary HTTP/1.1"),
            format!("GET /v1/jobs/canary-{n} HTTP/1.1"),
            format!("POST /webhooks/canary{n} HTTP/1.1"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }
    }
    stop.cancel();
    serving.await.unwrap();
    let seen = scraped(&app).await;
    assert!(!seen.text.contains("canary") && !seen.text.contains("CANARY"), "{}", seen.text);
    let name = "http_server_request_duration_seconds_count";
    let methods = seen.values_of(name, "http_request_method");
    assert_eq!(methods.iter().map(String::as_str).collect::<Vec<_>>(), ["GET", "POST", "_OTHER"]);
    let routes = seen.values_of(name, "http_route");
    let routes: Vec<_> = routes.iter().map(String::as_str).collect();
    assert_eq!(routes, ["/v1/jobs", "/v1/jobs/{id}", "unmatched"]);
    assert_eq!(seen.sum(name, ("listener", "api")), Some(80.0));
    let api = [("listener", "api")];
    assert_eq!(seen.get("http_server_connections", &api), Some(0.0));
    assert_eq!(seen.get("http_server_active_requests", &api), Some(0.0));
    assert_eq!(seen.get("http_server_connections_max", &api), Some(7.0));
}

#[tokio::test]
async fn the_hundred_and_first_caller_is_other() {
    let app = TestApp::start().await;
    let body = json!({ "contentUri": RECORDING, "encoding": "Wav" }).to_string();
    for n in 0..150 {
        let name = format!("caller-{n}");
        let key = callers::create(&app.db.pool, &name, "test", KeyTerms::default()).await.unwrap();
        let request = Request::post("/v1/jobs")
            .header("authorization", format!("Bearer {}", key.text.expose_secret()))
            .header("content-type", "application/json");
        let request = request.body(Body::from(body.clone())).unwrap();
        assert_eq!(Answer::of(&app.api, request).await.status, 202);
    }
    let seen = scraped(&app).await;
    let created = "aftercall_jobs_created_total";
    assert_eq!(seen.all(created).count(), 101);
    assert_eq!(seen.get(created, &[("caller", "caller-0")]), Some(1.0));
    assert_eq!(seen.get(created, &[("caller", "other")]), Some(50.0));
}

#[tokio::test]
async fn a_caller_that_is_limited_is_counted_by_name() {
    let app = TestApp::with(|settings| settings.api.max_requests_per_caller = 0).await;
    app.get("/v1/jobs").await.problem(429, "caller-limit");
    let seen = scraped(&app).await;
    assert_eq!(seen.get("aftercall_rate_limited_total", &[("caller", "app")]), Some(1.0));
}
