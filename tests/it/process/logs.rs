//! The log: one JSON object per line, one line per request.
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method, StatusCode};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use super::{Home, Service};
use crate::support::db::TestDb;

/// The log lines of completed requests on `route`.
fn answered<'a>(log: &'a [Value], route: &str) -> Vec<&'a Value> {
    log.iter().filter(|line| line["msg"] == "responded" && line["route"] == route).collect()
}

/// Status of the response to a body that never ends.
async fn slow_upload(service: &Service) -> StatusCode {
    let first = stream::iter([Ok::<_, std::io::Error>("{")]);
    let body = Body::wrap_stream(first.chain(stream::pending()));
    let request = service.http.post(format!("{}/v1/jobs", service.api)).bearer_auth(&service.key);
    let request = request.header("content-type", "application/json").body(body);
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn each_request_is_one_line_that_tells_what_became_of_it() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("AFTERCALL__API__REQUEST_TIMEOUT", "2s");
    let service = Service::start(&home).await;
    let body = json!({ "contentUri": service.recording, "encoding": "Wav" });
    let request = service.http.post(format!("{}/v1/jobs", service.api)).json(&body);
    let request = request.bearer_auth(&service.key).header("X-Request-Id", "from-the-caller.1");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "from-the-caller.1");
    let job: Value = answer.json().await.unwrap();
    let id = job["id"].as_str().unwrap();
    service.finished(id).await;
    service.send(Method::GET, "/nowhere/at/all?secret=1", None).await;
    let unknown = format!("{}/webhooks/{}", service.webhook, "x".repeat(64));
    service.http.post(&unknown).body("{}").send().await.unwrap();
    let invented = Method::from_bytes("BREW".repeat(100).as_bytes()).unwrap();
    service.send(invented, "/livez", None).await;
    assert_eq!(slow_upload(&service).await, 408);
    let ended = service.stop().await;
    let log: Vec<Value> =
        ended.success().lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    for line in &log {
        let line = line.as_object().unwrap();
        assert!(line["ts"].as_str().unwrap().ends_with('Z'), "{line:?}");
        let level = line["level"].as_str().unwrap();
        assert!(matches!(level, "info" | "warn" | "error"), "{line:?}");
        assert!(line["msg"].is_string(), "{line:?}");
    }
    assert!(log.iter().all(|line| line["level"] != "error"), "{log:#?}");
    let submitted = answered(&log, "/v1/jobs");
    assert_eq!((submitted.len(), &submitted[1]["status"]), (2, &json!(408)));
    let expected = json!({
        "level": "info", "msg": "responded", "request_id": "from-the-caller.1", "listener": "api",
        "route": "/v1/jobs", "method": "POST", "caller": "tester", "job_id": id, "status": 202,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(submitted[0][name], *value, "{name}");
    }
    assert!(submitted[0]["duration_ms"].is_u64());
    assert!(submitted[0]["bytes"].as_u64().unwrap() > 200);
    let unmatched = answered(&log, "unmatched");
    assert_eq!((unmatched.len(), &unmatched[0]["status"]), (1, &json!(404)));

    let invented = answered(&log, "/livez");
    assert_eq!((invented.len(), &invented[0]["method"]), (1, &json!("_OTHER")));

    let deliveries = answered(&log, "/webhooks/{token}");
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0]["outcome"], "accepted");
    assert_eq!(deliveries[0]["job_id"], id);
    assert_eq!(deliveries[1]["outcome"], "unknown_token");
    assert_eq!(deliveries[1]["status"], 404);
    let handed_over = log.iter().find(|line| line["msg"] == "submitted").unwrap();
    assert_eq!((&handed_over["job_id"], &handed_over["attempt"]), (&json!(id), &json!(1)));
    for once in ["ready", "database ready", "shutting down"] {
        assert_eq!(log.iter().filter(|line| line["msg"] == once).count(), 1, "{once}");
    }
}

#[tokio::test]
async fn a_pretty_log_is_for_people() {
    let db = TestDb::new().await;
    let home = Home::new()
        .set("DATABASE_URL", db.connect_options().to_url_lossy())
        .set("AFTERCALL__LOG__FORMAT", "pretty")
        .set("RUST_LOG", ""); // as good as unset
    let out = home.run(&["migrate"]).await.success();
    assert!(out.contains("INFO") && out.contains("the database is up to date"), "{out}");
    assert!(serde_json::from_str::<Value>(out.lines().next().unwrap()).is_err(), "{out}");
}
