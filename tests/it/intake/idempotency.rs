//! `Idempotency-Key`: a repeated request is paid for once.
use aftercall::callers::{self, KeyTerms};
use axum::http::{StatusCode, header};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::support::{answer::Answer, app::TestApp};

const ALL_JOBS: &str = "select count(*) from aftercall.jobs";

fn body() -> String {
    json!({ "contentUri": "https://media.example/a.wav", "encoding": "Wav" }).to_string()
}

async fn post(app: &TestApp, key: &str, body: String) -> Answer {
    app.send(app.request("POST", "/v1/jobs").header("idempotency-key", key), body).await
}

#[tokio::test]
async fn the_same_request_again_gets_the_stored_answer() {
    let app = TestApp::start().await;
    let first = post(&app, "order-7", body()).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert!(!first.headers.contains_key("idempotent-replayed"));
    app.dispatcher.drain().await;
    for key in ["order-7", "\"order-7\""] {
        let again = post(&app, key, body()).await;
        assert_eq!(again.status, StatusCode::ACCEPTED);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.body, first.body);
    }
    assert_eq!(app.count(ALL_JOBS).await, 1);
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let app = TestApp::start().await;
    post(&app, "order-7", body()).await;
    let other = body().replace("a.wav", "b.wav");
    post(&app, "order-7", other).await.problem(422, "idempotency-key-reused");
    assert_eq!(app.count(ALL_JOBS).await, 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let app = TestApp::start().await;
    post(&app, "order-7", "{}".to_owned()).await.problem(422, "validation-failed");
    assert_eq!(post(&app, "order-7", body()).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn concurrent_requests_with_one_key_make_one_job() {
    let app = TestApp::start().await;
    let posts = (0..4).map(|_| post(&app, "order-7", body()));
    let answers = futures_util::future::join_all(posts).await;
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.body, answers[0].body);
    }
    let replays = answers.iter().filter(|a| a.headers.contains_key("idempotent-replayed"));
    assert_eq!(replays.count(), 3);
    assert_eq!(app.count(ALL_JOBS).await, 1);
}

/// The same request with a new API key of `caller`.
async fn post_as(app: &TestApp, caller: &str, path: &str, key: &str, body: String) -> Answer {
    let other = callers::create(&app.db.pool, caller, "new", KeyTerms::default()).await.unwrap();
    let bearer = format!("Bearer {}", other.text.expose_secret());
    let mut request = app.request("POST", path).header("idempotency-key", key);
    request.headers_mut().unwrap().insert(header::AUTHORIZATION, bearer.parse().unwrap());
    app.send(request, body).await
}

#[tokio::test]
async fn rotating_the_api_key_pays_nothing_twice() {
    let app = TestApp::start().await;
    let first = post(&app, "order-7", body()).await;
    app.dispatcher.drain().await;
    let again = post_as(&app, "app", "/v1/jobs", "order-7", body()).await;
    assert_eq!((again.status, again.id()), (StatusCode::ACCEPTED, first.id()));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = body().replace("a.wav", "b.wav");
    let reused = post_as(&app, "app", "/v1/jobs", "order-7", other).await;
    reused.problem(422, "idempotency-key-reused");
    let batch =
        json!({ "jobs": [{ "contentUri": "https://media.example/c.wav", "encoding": "Wav" }] });
    for replayed in [false, true] {
        let path = "/v1/jobs/batch";
        let answer = post_as(&app, "app", path, "order-8", batch.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers.contains_key("idempotent-replayed"), replayed);
    }
    app.dispatcher.drain().await;
    assert_eq!(app.submissions().await.len(), 2);
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_one_caller() {
    let app = TestApp::start().await;
    let first = post(&app, "order-7", body()).await;
    let second = post_as(&app, "other", "/v1/jobs", "order-7", body()).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert!(!second.headers.contains_key("idempotent-replayed"));
    assert_ne!(second.id(), first.id());
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let app = TestApp::start().await;
    let first = post(&app, "order-7", body()).await;
    sqlx::query("update aftercall.idempotency_keys set created_at = now() - interval '25 hours'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let second = post(&app, "order-7", body().replace("a.wav", "b.wav")).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_ne!(second.id(), first.id());
}

#[tokio::test]
async fn a_key_must_have_1_to_255_characters() {
    let app = TestApp::start().await;
    for key in ["", "\"\"", &"k".repeat(256)] {
        let problem = post(&app, key, body()).await.problem(400, "invalid-parameter");
        assert!(problem["detail"].as_str().unwrap().starts_with("Idempotency-Key"));
    }
    assert_eq!(post(&app, &"k".repeat(255), body()).await.status, StatusCode::ACCEPTED);
}
