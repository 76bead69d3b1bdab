//! Canceling, retrying, and the position in the queue.
use axum::http::StatusCode;
use serde_json::json;

use crate::support::app::{RECORDING, TestApp};

#[tokio::test]
async fn a_canceled_job_takes_nothing_more() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let path = format!("/v1/jobs/{}/cancel", job.id);
    let answer = app.post(&path, &json!({})).await;
    assert_eq!(
        (answer.status, answer.json()["state"].clone()),
        (StatusCode::OK, json!("canceled"))
    );

    app.post(&path, &json!({})).await.problem(409, "state-conflict");

    let late = json!({ "status": "Success", "response": { "utteranceInsights": [] } });
    assert_eq!(app.deliver(&job.webhook, late.to_string()).await.status, StatusCode::OK);
    assert_eq!(app.job(job.id).await["state"], "canceled");
    assert_eq!(app.delivery_outcomes(job.id).await, ["late"]);
}

#[tokio::test]
async fn a_failed_job_is_retried_with_another_token_and_the_first_result_wins() {
    let app = TestApp::start().await;
    let first = app.submitted().await;
    let fail = json!({ "status": "Fail", "response": { "errors": [] } });
    app.deliver(&first.webhook, fail.to_string()).await;
    let answer = app.post(&format!("/v1/jobs/{}/retry", first.id), &json!({})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["state"], "queued");
    assert_eq!(app.dispatcher.drain().await, 1);

    // The first attempt turns out to be alive.
    let success = json!({ "status": "Success", "response": { "utteranceInsights": [] } });
    app.deliver(&first.webhook, success.to_string()).await;
    assert_eq!(app.job(first.id).await["state"], "completed");
    assert_eq!(app.count("select count(distinct token_sha) from aftercall.attempts").await, 2);

    let done = app.post(&format!("/v1/jobs/{}/retry", first.id), &json!({})).await;
    done.problem(409, "state-conflict");
}

#[tokio::test]
async fn queued_jobs_are_told_their_place_and_when_their_turn_comes() {
    let app = TestApp::start().await;
    let body = json!({ "contentUri": RECORDING, "encoding": "Wav" });
    let mut last = None;
    for _ in 0..12 {
        last = Some(app.post("/v1/jobs", &body).await.id());
    }
    let queue = app.job(last.unwrap()).await["queue"].clone();
    assert_eq!(queue["position"], 12);
    assert!(queue["eta"].is_string() && queue["blockedUntil"].is_null());
}
