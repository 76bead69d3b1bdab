//! Operators see that the provider rejects everything, and why.
use aftercall::callers::Scope;
use axum::http::StatusCode;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{OPERATOR, Operator};
use crate::support::app::TestApp;

const PATH: &str = "/v1/admin/provider";

#[tokio::test]
async fn a_provider_that_refuses_everything_is_shown_with_reason_and_next_probe() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    let well = json!({ "takesSubmissions": true, "refusing": null, "blockedUntil": null });
    assert_eq!(reader.get(PATH).await.json(), well);
    let checks = app.get("/readyz?verbose").await.json();
    assert_eq!(checks["checks"]["provider"], "ok");

    app.submit().await;
    let body = json!({ "errorCode": "CMN-401", "message": "needs [AI]" });
    app.answer_submissions(ResponseTemplate::new(403).set_body_json(body)).await;
    app.dispatcher.drain().await;
    let view = reader.get(PATH).await.json();
    let refusing = &view["refusing"];
    assert_eq!(view["takesSubmissions"], false);
    let told = [&refusing["class"], &refusing["status"], &refusing["code"]];
    assert_eq!(told, [&json!("auth"), &json!(403), &json!("CMN-401")]);
    assert!(refusing["since"].as_str().unwrap() < refusing["nextProbeAt"].as_str().unwrap());
    let ready = app.get("/readyz?verbose").await;
    assert_eq!(ready.status, StatusCode::OK, "it takes jobs all the same");
    assert_eq!(ready.json()["checks"]["provider"], "fail");

    app.accept_submissions().await;
    for statement in [
        "update aftercall.provider_gate set probe_at = now()",
        "update aftercall.jobs set due_at = now() - interval '1 s'",
    ] {
        sqlx::query(statement).execute(&app.db.pool).await.unwrap();
    }
    app.dispatcher.drain().await;
    assert_eq!(reader.get(PATH).await.json(), well);
    assert_eq!(app.get("/readyz?verbose").await.json()["checks"]["provider"], "ok");
}

#[tokio::test]
async fn it_takes_a_key_that_may_see_it() {
    let app = TestApp::start().await;
    assert_eq!(app.get(PATH).await.status, StatusCode::FORBIDDEN);
    let writer = Operator::new(&app, &[Scope::AdminWrite]).await;
    assert_eq!(writer.get(PATH).await.status, StatusCode::FORBIDDEN);
}
