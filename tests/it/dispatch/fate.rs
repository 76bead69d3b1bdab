//! Attempts with an unknown outcome: never repeated at once, never forgotten.
use std::time::Duration;

use aftercall::db::{self, PoolOptions};
use axum::http::StatusCode;
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::{
    app::{TestApp, client_of, webhook_of},
    fixture,
    manual::{Held, Manual},
};

/// A dispatcher that has sent a submission, and the submission, to which the provider has not
/// responded yet.
async fn sending(app: &TestApp) -> (JoinHandle<usize>, Held) {
    let provider = Manual::bind().await;
    let mut dispatcher = app.dispatcher.clone();
    dispatcher.accounts[0].client = client_of(&provider.url());
    let sending = tokio::spawn(async move { dispatcher.drain().await });
    (sending, provider.submission().await)
}

/// A job whose first attempt may or may not have reached the provider, with the path of its
/// webhook.
async fn unconfirmed(app: &TestApp) -> (Uuid, String) {
    let id = app.submit().await;
    let (sending, held) = sending(app).await;
    let webhook = held.webhook.clone();
    held.hang_up();
    assert_eq!(sending.await.unwrap(), 1);
    (id, webhook)
}

#[tokio::test]
async fn an_attempt_of_unknown_fate_stays_open_and_is_then_followed_by_another() {
    let app = TestApp::start().await;
    let (id, first) = unconfirmed(&app).await;
    assert_eq!(app.job(id).await["state"], "submitting");
    assert_eq!(app.attempt_outcomes(id).await, ["unknown"]);
    let wait = super::wait(&app, id).await;
    assert!((800.0..=900.0).contains(&wait), "{wait}");

    app.reconciler.round().await.unwrap();
    assert_eq!(app.dispatcher.drain().await, 0);
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(id).await["state"], "queued");
    assert_eq!(app.dispatcher.drain().await, 1);
    assert_eq!(app.attempt_outcomes(id).await, ["unknown", "accepted"]);
    let events = ["queued", "submitting", "unconfirmed", "requeued", "submitting", "submitted"];
    assert_eq!(app.timeline(id).await, events);

    let second = webhook_of(&app.submissions().await[0]);
    assert_ne!(first, second);
    for webhook in [&first, &second] {
        let answer = app.deliver(webhook, fixture("seed/success.json")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(app.delivery_outcomes(id).await, ["accepted", "superseded"]);
}

#[tokio::test]
async fn a_gateway_without_an_answer_leaves_the_fate_unknown() {
    let app = TestApp::start().await;
    for status in [502, 504] {
        app.answer_submissions(ResponseTemplate::new(status)).await;
        let id = app.submit().await;
        assert_eq!(app.dispatcher.drain().await, 1);
        assert_eq!(app.job(id).await["state"], "submitting", "{status}");
        assert_eq!(app.attempt_outcomes(id).await, ["unknown"], "{status}");
        let webhook = webhook_of(app.submissions().await.last().unwrap());
        app.deliver(&webhook, fixture("seed/success.json")).await;
        assert_eq!(app.job(id).await["state"], "completed", "{status}");
    }
}

#[tokio::test]
async fn the_webhook_of_an_attempt_of_unknown_fate_counts() {
    let app = TestApp::start().await;
    let (id, webhook) = unconfirmed(&app).await;
    app.deliver(&webhook, fixture("seed/success.json")).await;
    assert_eq!(app.job(id).await["state"], "completed");
    assert_eq!(app.dispatcher.drain().await, 0);
    app.reconciler.round().await.unwrap();
    assert_eq!(app.timeline(id).await, ["queued", "submitting", "unconfirmed", "completed"]);
}

#[tokio::test]
async fn a_requeued_job_is_completed_by_its_first_webhook_and_not_sent_again() {
    let app = TestApp::start().await;
    let (id, webhook) = unconfirmed(&app).await;
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(id).await["state"], "queued");
    app.deliver(&webhook, fixture("seed/success.json")).await;
    assert_eq!(app.job(id).await["state"], "completed");
    assert_eq!(app.dispatcher.drain().await, 0);
}

#[tokio::test]
async fn the_last_attempt_of_unknown_fate_fails_the_job_until_a_success_comes_late() {
    let app = TestApp::with(|settings| settings.dispatch.max_attempts = 1).await;
    let (id, webhook) = unconfirmed(&app).await;
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    let job = app.job(id).await;
    assert_eq!(job["state"], "failed");
    assert_eq!(job["error"]["class"], "upstream");
    app.deliver(&webhook, fixture("seed/success.json")).await;
    assert_eq!(app.delivery_outcomes(id).await, ["accepted"]);
    assert_eq!(app.job(id).await["state"], "completed");
    assert_eq!(app.last_event(id).await["late"], true);
}

async fn killed_while_sending(app: &TestApp) {
    let (killed, _held) = sending(app).await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_killed_process_leaves_an_attempt_that_is_taken_up_again() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    killed_while_sending(&app).await;

    app.reconciler.round().await.unwrap();
    assert_eq!(app.attempt_outcomes(id).await, ["open"]);
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(id).await["state"], "submitting");
    assert_eq!(app.attempt_outcomes(id).await, ["unknown"]);
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.dispatcher.drain().await, 1);
    let events = ["queued", "submitting", "abandoned", "requeued", "submitting", "submitted"];
    assert_eq!(app.timeline(id).await, events);
}

/// Expires the first attempt's lease, and then its time to be confirmed.
async fn give_up(app: &TestApp, id: Uuid) {
    for _ in 0..2 {
        app.make_due(id).await;
        app.reconciler.round().await.unwrap();
    }
    assert_eq!(app.job(id).await["state"], "queued");
}

#[tokio::test]
async fn an_attempt_that_a_killed_process_left_before_a_retry_is_not_taken_for_the_new_one() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    killed_while_sending(&app).await;
    let no_time_left = "update aftercall.jobs set deadline_at = now() where id = $1";
    app.about(id, no_time_left).await;
    app.reconciler.round().await.unwrap();
    app.post(&format!("/v1/jobs/{id}/retry"), &json!({})).await;
    killed_while_sending(&app).await;
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.attempt_outcomes(id).await, ["open", "unknown"]);
    assert_eq!(app.job(id).await["state"], "submitting");
}

#[tokio::test]
async fn an_answer_after_the_lease_still_counts() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    let (sending, held) = sending(&app).await;
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.attempt_outcomes(id).await, ["unknown"]);
    held.accept("rc-slow").await;
    sending.await.unwrap();
    assert_eq!(app.job(id).await["state"], "submitted");
    assert_eq!(app.attempt_outcomes(id).await, ["accepted"]);
}

#[tokio::test]
async fn an_acceptance_that_comes_before_another_attempt_saves_paying_for_it() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    let (sending, held) = sending(&app).await;
    give_up(&app, id).await;
    held.accept("rc-slow").await;
    sending.await.unwrap();
    assert_eq!(app.job(id).await["state"], "submitted");
    assert_eq!(app.dispatcher.drain().await, 0);
    assert_eq!(app.attempt_outcomes(id).await, ["accepted"]);
}

#[tokio::test]
async fn what_becomes_of_an_attempt_that_was_given_up_says_nothing_of_the_next_one() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    let (first, held) = sending(&app).await;
    give_up(&app, id).await;
    let (second, unknown) = sending(&app).await;
    unknown.hang_up();
    second.await.unwrap();
    held.refuse().await;
    first.await.unwrap();
    assert_eq!(app.attempt_outcomes(id).await, ["refused", "unknown"]);
    assert_eq!(app.job(id).await["state"], "submitting");
}

#[tokio::test]
async fn an_answer_is_kept_once_a_lost_database_is_back() {
    let app = TestApp::start().await;
    let provider = Manual::bind().await;
    let mut dispatcher = app.dispatcher.clone();
    dispatcher.accounts[0].client = client_of(&provider.url());
    dispatcher.settings.poll_interval = Duration::from_millis(1);
    // Unlike the tests' pool, this one trusts recently used connections, as the service does.
    let size = PoolOptions { max_connections: 2, acquire_timeout: Duration::from_secs(3) };
    dispatcher.db =
        db::Primary::later(db::Servers::one(app.db.connect_options()), size).pool().clone();
    let id = app.submit().await;
    let sending = tokio::spawn(async move { dispatcher.drain().await });
    let held = provider.submission().await;
    // As in a crash of Postgres.
    app.db.end_sessions().await;
    held.accept("rc-kept").await;
    sending.await.unwrap();
    assert_eq!(app.job(id).await["state"], "submitted");
    assert_eq!(app.attempt_outcomes(id).await, ["accepted"]);
}
