//! Jobs are submitted: what each response of the provider does to them.
mod accounts;
mod fate;
mod gate;
mod quotas;
mod refusals;
mod turns;
mod weights;

use aftercall::provider::wire;
use axum::http::StatusCode;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{
    app::{TestApp, client_of},
    fixture,
    manual::Manual,
};

/// Seconds until the job is due.
async fn wait(app: &TestApp, id: uuid::Uuid) -> f64 {
    let query =
        "select extract(epoch from due_at - now())::float8 from aftercall.jobs where id = $1";
    sqlx::query_scalar(query).bind(id).fetch_one(&app.db.pool).await.unwrap()
}

/// Seconds until the gate opens.
async fn blocked_for(app: &TestApp) -> Option<f64> {
    let query =
        "select extract(epoch from blocked_until - now())::float8 from aftercall.provider_gate";
    sqlx::query_scalar(query).fetch_one(&app.db.pool).await.unwrap()
}

#[tokio::test]
async fn an_accepted_job_is_submitted() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    assert_eq!(app.dispatcher.drain().await, 1);
    let job = app.job(id).await;
    assert_eq!(job["state"], "submitted");
    assert_eq!(job["attempts"], 1);
    assert!(job["submittedAt"].is_string() && job["error"].is_null());
    assert_eq!(app.attempt_outcomes(id).await, ["accepted"]);
    assert_eq!(app.timeline(id).await, ["queued", "submitting", "submitted"]);
    assert_eq!(app.last_event(id).await, json!({ "attempt": 1, "providerJobId": "rc-1" }));
    assert_eq!(app.dispatcher.drain().await, 0);
}

#[tokio::test]
async fn an_acceptance_without_a_job_id_is_one() {
    let app = TestApp::start().await;
    app.answer_submissions(ResponseTemplate::new(202)).await;
    let id = app.submit().await;
    app.dispatcher.drain().await;
    assert_eq!(app.job(id).await["state"], "submitted");
    assert_eq!(app.last_event(id).await, json!({ "attempt": 1, "providerJobId": null }));
}

#[tokio::test]
async fn the_webhook_url_is_escaped_and_takes_the_result() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let [sent] = &app.submissions().await[..] else { panic!("one submission") };
    let raw = sent.url.query().unwrap();
    let (name, escaped) = raw.split_once('=').unwrap();
    assert_eq!(name, "webhook");
    assert!(!escaped.contains(['/', ':', '?', '=', '&', ' ', '+']), "{escaped}");
    let (_, url) = sent.url.query_pairs().next().unwrap();
    assert!(url.starts_with("https://in.example/after%20call/webhooks/"));
    assert!(url.ends_with("?team=a%20b"));
    let answer = app.deliver(&job.webhook, fixture("seed/success.json")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn a_refusal_fails_the_job_with_code_message_and_parameter() {
    let app = TestApp::start().await;
    let error = json!({
        "errorCode": "CAI-101", "message": "Parameter [encoding] is invalid", "parameterName": "encoding",
    });
    let answer = ResponseTemplate::new(400).set_body_json(json!({ "errors": [error] }));
    app.answer_submissions(answer).await;
    let id = app.submit().await;
    app.dispatcher.drain().await;
    let job = app.job(id).await;
    assert_eq!(job["state"], "failed");
    let expected = json!({
        "class": "validation", "code": "CAI-101", "message": "Parameter [encoding] is invalid",
        "parameter": "encoding", "retryable": false,
    });
    assert_eq!(job["error"], expected);
    assert_eq!(app.attempt_outcomes(id).await, ["refused"]);
    assert_eq!(app.timeline(id).await, ["queued", "submitting", "failed"]);
}

#[tokio::test]
async fn a_429_stops_everybody_for_as_long_as_it_says() {
    let app = TestApp::with(|settings| settings.dispatch.concurrency = 1).await;
    let (first, second) = (app.submit().await, app.submit().await);
    let slow_down = ResponseTemplate::new(429).insert_header("Retry-After", "37");
    app.answer_submissions(slow_down).await;
    assert_eq!(app.dispatcher.drain().await, 1);
    assert_eq!(app.job(first).await["state"], "queued");
    assert_eq!(app.attempt_outcomes(first).await, ["throttled"]);
    assert_eq!(app.timeline(first).await, ["queued", "submitting", "requeued"]);
    assert_eq!(app.last_event(first).await["because"], "throttled");
    assert!((30.0..=37.0).contains(&wait(&app, first).await));
    assert!((30.0..=37.0).contains(&blocked_for(&app).await.unwrap()));

    app.accept_submissions().await;
    assert_eq!(app.dispatcher.drain().await, 0);
    assert_eq!(app.job(second).await["version"], 1);
    sqlx::query("update aftercall.provider_gate set blocked_until = now()")
        .execute(&app.db.pool)
        .await
        .unwrap();
    assert_eq!(app.dispatcher.drain().await, 1);
    assert_eq!(app.job(second).await["state"], "submitted");
}

#[tokio::test]
async fn a_429_without_a_time_costs_the_penalty() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    app.answer_submissions(ResponseTemplate::new(429)).await;
    app.dispatcher.drain().await;
    assert!((50.0..=60.0).contains(&blocked_for(&app).await.unwrap()));
    assert!((50.0..=60.0).contains(&wait(&app, id).await));
}

#[tokio::test]
async fn an_outage_is_waited_out_longer_each_time() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    app.answer_submissions(ResponseTemplate::new(503)).await;
    app.dispatcher.drain().await;
    assert_eq!(app.job(id).await["state"], "queued");
    assert_eq!(app.job(id).await["error"]["class"], "upstream");
    assert!((3.0..=5.0).contains(&wait(&app, id).await));
    assert_eq!(blocked_for(&app).await, None);

    app.make_due(id).await;
    assert_eq!(app.dispatcher.drain().await, 1);
    assert_eq!(app.attempt_outcomes(id).await, ["broken", "broken"]);
    assert!((8.0..=10.0).contains(&wait(&app, id).await));

    let asking = ResponseTemplate::new(503).insert_header("Retry-After", "100");
    app.answer_submissions(asking).await;
    app.make_due(id).await;
    app.dispatcher.drain().await;
    assert!((90.0..=100.0).contains(&wait(&app, id).await));

    app.make_due(id).await;
    app.accept_submissions().await;
    app.dispatcher.drain().await;
    let job = app.job(id).await;
    assert_eq!((&job["state"], &job["error"]), (&json!("submitted"), &json!(null)));
}

#[tokio::test]
async fn the_last_broken_attempt_fails_the_job() {
    let app = TestApp::with(|settings| settings.dispatch.max_attempts = 2).await;
    let id = app.submit().await;
    app.answer_submissions(ResponseTemplate::new(500)).await;
    app.dispatcher.drain().await;
    app.make_due(id).await;
    app.dispatcher.drain().await;
    let job = app.job(id).await;
    assert_eq!(job["state"], "failed");
    assert_eq!(job["error"]["class"], "upstream");
    assert_eq!(job["error"]["retryable"], true);
    assert_eq!(app.attempt_outcomes(id).await, ["broken", "broken"]);
}

#[tokio::test]
async fn an_unreachable_provider_is_tried_until_the_deadline() {
    let mut app = TestApp::with(|settings| settings.dispatch.max_attempts = 1).await;
    let nobody = Manual::bind().await.url();
    app.dispatcher.accounts[0].client = client_of(&nobody);
    let id = app.submit().await;
    for attempts in 1..=3 {
        assert_eq!(app.dispatcher.drain().await, 1);
        assert_eq!(app.job(id).await["state"], "queued");
        assert_eq!(app.attempt_outcomes(id).await, vec!["unreachable"; attempts]);
        app.make_due(id).await;
    }
}

#[tokio::test]
async fn credentials_refused_twice_leave_the_job_queued() {
    let app = TestApp::with(|settings| settings.dispatch.max_attempts = 1).await;
    let error = json!({ "errorCode": "OAU-213", "message": "Token not found" });
    let answer = ResponseTemplate::new(401).set_body_json(error);
    app.answer_submissions(answer).await;
    let id = app.submit().await;
    app.dispatcher.drain().await;
    let job = app.job(id).await;
    assert_eq!(job["state"], "queued");
    assert_eq!(job["error"]["class"], "auth");
    assert_eq!(app.attempt_outcomes(id).await, ["unauthorized"]);
    assert_eq!(app.submissions().await.len(), 2);
    let all = app.provider.received_requests().await.unwrap();
    let tokens = all.iter().filter(|request| request.url.path() == wire::TOKEN_PATH);
    assert_eq!(tokens.count(), 2);
}

#[tokio::test]
async fn a_budget_that_others_have_used_up_is_respected() {
    let app = TestApp::start().await;
    let spent = ResponseTemplate::new(202)
        .insert_header("X-Rate-Limit-Limit", "5")
        .insert_header("X-Rate-Limit-Remaining", "0")
        .insert_header("X-Rate-Limit-Window", "60");
    app.answer_submissions(spent).await;
    app.submit().await;
    assert_eq!(app.dispatcher.drain().await, 1);
    let second = app.submit().await;
    assert_eq!(app.dispatcher.drain().await, 0);
    assert_eq!(app.job(second).await["state"], "queued");
}
