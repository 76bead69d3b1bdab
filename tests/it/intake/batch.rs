//! Many recordings in one request.
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    answer::Answer,
    app::{RECORDING, TestApp},
};

const ALL_JOBS: &str = "select count(*) from aftercall.jobs";

async fn post(app: &TestApp, key: &str, body: &Value) -> Answer {
    let request = app.request("POST", "/v1/jobs/batch").header("idempotency-key", key);
    app.send(request, body.to_string()).await
}

fn good(name: &str) -> Value {
    json!({ "contentUri": RECORDING, "encoding": "Wav", "externalId": name })
}

#[tokio::test]
async fn each_item_has_an_outcome_of_its_own() {
    let app = TestApp::start().await;
    let bad = json!({ "contentUri": "ftp://a.example", "encoding": "Wav", "tags": [1] });
    let body = json!({ "jobs": [good("a"), bad, 7, good("b")] });
    let answer = post(&app, "batch-1", &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json();
    let items = answer["data"].as_array().unwrap();
    for (index, (item, status)) in items.iter().zip([202, 422, 422, 202]).enumerate() {
        assert_eq!((&item["index"], &item["status"]), (&json!(index), &json!(status)));
    }
    let problem = &items[1]["problem"];
    assert_eq!(problem["code"], "validation-failed");
    let faults = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<_> = faults.map(|fault| &fault["pointer"]).collect();
    assert_eq!(pointers, ["#/contentUri", "#/tags/0"]);
    assert_eq!(items[2]["problem"]["errors"][0]["pointer"], "#");
    for item in [&items[0], &items[3]] {
        let id = item["job"]["id"].as_str().unwrap().parse().unwrap();
        let mut job = app.job(id).await;
        job.as_object_mut().unwrap().remove("queue");
        assert_eq!(job, item["job"]);
    }
    assert_eq!(app.count(ALL_JOBS).await, 2);
    assert_eq!(app.dispatcher.drain().await, 2);
}

#[tokio::test]
async fn the_same_batch_again_gets_the_stored_answer() {
    let app = TestApp::start().await;
    let body = json!({ "jobs": [good("a"), {}] });
    let first = post(&app, "batch-1", &body).await;
    let again = post(&app, "batch-1", &body).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("content-type"), "application/json");
    assert!(!again.headers.contains_key("location"));
    assert_eq!(again.body, first.body);
    assert_eq!(app.count(ALL_JOBS).await, 1);
    let other = json!({ "jobs": [good("b")] });
    post(&app, "batch-1", &other).await.problem(422, "idempotency-key-reused");
    // Keys are separate per route.
    let single = app.request("POST", "/v1/jobs").header("idempotency-key", "batch-1");
    assert_eq!(app.send(single, good("c").to_string()).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_batch_needs_a_key() {
    let app = TestApp::start().await;
    let answer = app.post("/v1/jobs/batch", &json!({ "jobs": [good("a")] })).await;
    let problem = answer.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["parameter"], "Idempotency-Key");
    assert_eq!(app.count(ALL_JOBS).await, 0);
}

#[tokio::test]
async fn what_is_no_batch_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    let many = |count: usize| json!({ "jobs": vec![json!({}); count] });
    for (body, faults) in [
        (json!([]), &["# type"][..]),
        (json!({}), &["#/jobs missing"]),
        (json!({ "jobs": {} }), &["#/jobs type"]),
        (json!({ "jobs": [], "a/b": 1 }), &["#/a~1b unknown", "#/jobs length"]),
        (many(101), &["#/jobs length"]),
    ] {
        assert_eq!(post(&app, "batch-1", &body).await.faults(), faults);
    }
    assert_eq!(post(&app, "batch-1", &many(100)).await.status, StatusCode::OK);
    assert_eq!(app.count(ALL_JOBS).await, 0);
}
