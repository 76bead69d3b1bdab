//! API keys: which requests are authorized, and what they see.
use std::time::Duration;

use aftercall::callers::{self, KeyTerms};
use axum::http::{StatusCode, header, request::Builder};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::support::{app::TestApp, eventually};

fn with_authorization(app: &TestApp, path: &str, value: &str) -> Builder {
    let mut request = app.request("GET", path);
    request.headers_mut().unwrap().insert(header::AUTHORIZATION, value.parse().unwrap());
    request
}

#[tokio::test]
async fn only_a_living_key_gets_in() {
    let app = TestApp::start().await;
    let (id, _) = app.key.strip_prefix("ac_").unwrap().split_once('_').unwrap();
    let wrong_secret = format!("Bearer ac_{id}_{}", "A".repeat(43));
    let basic = format!("Basic {}", app.key);
    for value in ["", "Bearer", "Bearer ", "Bearer ac_", "Bearer ac_0_0", &wrong_secret, &basic] {
        let answer = app.ask(with_authorization(&app, "/v1/jobs", value)).await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let mut bare = app.request("GET", "/v1/jobs");
    bare.headers_mut().unwrap().remove(header::AUTHORIZATION);
    app.ask(bare).await.problem(401, "unauthorized");
    let lower_case = format!("bearer {}", app.key);
    let answer = app.ask(with_authorization(&app, "/v1/jobs", &lower_case)).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn revoked_and_expired_keys_are_refused() {
    let app = TestApp::start().await;
    let (db, hour) = (&app.db.pool, Duration::from_hours(1));
    let revoked = callers::create(db, "app", "revoked", KeyTerms::default()).await.unwrap();
    let for_an_hour = KeyTerms { lifetime: Some(hour), ..KeyTerms::default() };
    let expired = callers::create(db, "app", "expired", for_an_hour).await.unwrap();
    for key in [&revoked, &expired] {
        let value = format!("Bearer {}", key.text.expose_secret());
        let answer = app.ask(with_authorization(&app, "/v1/jobs", &value)).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert!(callers::revoke(db, &revoked.id).await.unwrap());
    assert!(!callers::revoke(db, &revoked.id).await.unwrap());
    sqlx::query("update aftercall.api_keys set expires_at = now() where name = 'expired'")
        .execute(db)
        .await
        .unwrap();
    // A process that has used a key recently may accept it for another second.
    for key in [revoked, expired] {
        let value = format!("Bearer {}", key.text.expose_secret());
        let refused = eventually("the end of a key is noticed", async || {
            let answer = app.ask(with_authorization(&app, "/v1/jobs", &value)).await;
            (answer.status != StatusCode::OK).then_some(answer)
        });
        refused.await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn another_callers_job_does_not_exist() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    let value = format!("Bearer {}", other.text.expose_secret());
    for part in ["", "/result", "/utterances", "/speakers", "/insights", "/timeline"] {
        let mut bodies = Vec::new();
        for id in [id, Uuid::now_v7()] {
            let request = with_authorization(&app, &format!("/v1/jobs/{id}{part}"), &value);
            let body = app.ask(request).await.problem(404, "job-not-found");
            let request_id = body["requestId"].as_str().unwrap();
            let text = body.to_string().replace(request_id, "").replace(&id.to_string(), "");
            bodies.push(text);
        }
        assert_eq!(bodies[0], bodies[1]);
    }
    let list = app.ask(with_authorization(&app, "/v1/jobs", &value)).await.json();
    assert_eq!(list["data"], serde_json::json!([]));
}
