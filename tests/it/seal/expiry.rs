//! URLs that show when they expire are rejected, or fail their job, rather than being paid for in vain.
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{FRESH, fail, retry, sent, submit};
use crate::support::app::TestApp;

/// A URL that is valid for this long from now, by Postgres's clock.
async fn valid_for(app: &TestApp, seconds: i32) -> String {
    let at = "select now() + make_interval(secs => $1)";
    let at: DateTime<Utc> =
        sqlx::query_scalar(at).bind(f64::from(seconds)).fetch_one(&app.db.pool).await.unwrap();
    format!("https://media.example/a.wav?Expires={}&Signature=hush", at.timestamp())
}

/// The queue moves by one job a minute.
async fn slow() -> TestApp {
    TestApp::with(|settings| settings.provider.gate.limit = 1).await
}

#[tokio::test]
async fn a_url_that_expires_before_its_turn_is_refused_with_the_eta() {
    let app = slow().await;
    submit(&app, &valid_for(&app, 400).await).await;
    for _ in 0..3 {
        submit(&app, FRESH).await;
    }
    let body = json!({ "contentUri": valid_for(&app, 400).await, "encoding": "Wav" });
    let answer = app.post("/v1/jobs", &body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = answer.json();
    assert_eq!(problem["code"], "expires-too-soon");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("is submitted at about") && !detail.contains("hush"), "{detail}");
    submit(&app, &valid_for(&app, 700).await).await;
    let odd = "https://media.example/a.wav?Expires=soon&X-Amz-Date=x&X-Amz-Expires=1";
    submit(&app, odd).await;
}

#[tokio::test]
async fn in_a_batch_it_refuses_its_item() {
    let app = TestApp::start().await;
    let item = |uri: &str| json!({ "contentUri": uri, "encoding": "Wav" });
    let jobs = json!({ "jobs": [item(&valid_for(&app, 10).await), item(FRESH)] });
    let request = app.request("POST", "/v1/jobs/batch").header("idempotency-key", "a");
    let answer = app.send(request, jobs.to_string()).await.json();
    assert_eq!(answer["data"][0]["problem"]["code"], "expires-too-soon");
    assert_eq!(answer["data"][1]["status"], 202);
}

#[tokio::test]
async fn with_an_idempotency_key_nothing_is_stored() {
    let app = TestApp::start().await;
    let body = json!({ "contentUri": valid_for(&app, 10).await, "encoding": "Wav" });
    let request = app.request("POST", "/v1/jobs").header("idempotency-key", "a");
    let answer = app.send(request, body.to_string()).await;
    assert_eq!(answer.json()["code"], "expires-too-soon");
    assert_eq!(app.count("select count(*) from aftercall.idempotency_keys").await, 0);
}

#[tokio::test]
async fn a_url_that_expired_in_the_queue_fails_its_job_unpaid() {
    let app =
        TestApp::with(|settings| settings.dispatch.url_margin = std::time::Duration::ZERO).await;
    let id = submit(&app, &valid_for(&app, 2).await).await;
    let soon = submit(&app, &valid_for(&app, 3600).await).await;
    crate::support::eventually("the URL to expire", async || {
        let passed = "select count(*) from aftercall.jobs where id = $1
            and now() > created_at + interval '3 seconds'";
        let passed: i64 =
            sqlx::query_scalar(passed).bind(id).fetch_one(&app.db.pool).await.unwrap();
        (passed == 1).then_some(())
    })
    .await;
    assert_eq!(app.dispatcher.drain().await, 1);
    let job = app.job(id).await;
    assert_eq!(job["state"], "failed");
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.contains("before its turn came") && !message.contains("hush"), "{message}");
    assert_eq!(job["error"]["parameter"], "contentUri");
    assert_eq!(app.timeline(id).await, ["queued", "submitting", "failed"]);
    assert_eq!(app.job(soon).await["state"], "submitted");
    assert_eq!(sent(&app).await.len(), 1);
    let unused = "select calls_total from aftercall.provider_gate";
    assert_eq!(app.count(unused).await, 1, "the call that was not made is given back");

    assert_eq!(retry(&app, id, json!({})).await.json()["code"], "expires-too-soon");
    assert_eq!(app.job(id).await["state"], "failed");
    assert_eq!(retry(&app, id, json!({ "contentUri": FRESH })).await.status, StatusCode::ACCEPTED);
    fail(&app, id).await;
    let late = json!({ "contentUri": valid_for(&app, -10).await });
    assert_eq!(retry(&app, id, late).await.json()["code"], "expires-too-soon");
}
