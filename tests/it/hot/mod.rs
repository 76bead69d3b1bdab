//! Results that are served from memory, over HTTP: they cost no statement, and are never those of before a change that
//! the process could know of.
mod changes;
mod memory;

use std::time::Duration;

use aftercall::callers::{self, KeyTerms};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::{
    query::completed,
    support::{
        Pace, answer::Answer, app::TestApp, eventually, eventually_at, exposition::Exposition,
    },
};

/// Much less than the minute after which every result is read again.
const SOON: Pace = Pace { look_every: Duration::from_millis(5), timeout: Duration::from_secs(20) };

async fn ask(app: &TestApp, api: &Router, id: Uuid) -> Answer {
    let request = app.request("GET", &format!("/v1/jobs/{id}/result"));
    Answer::of(api, request.body(Body::empty()).unwrap()).await
}

fn recalled(app: &TestApp, outcome: &str) -> f64 {
    let scraped = Exposition::of(app.metrics.encode().unwrap().unwrap());
    scraped.get("aftercall_results_recalled_total", &[("outcome", outcome)]).unwrap_or_default()
}

/// Asks until the result comes from memory.
async fn remembered(app: &TestApp, api: &Router, id: Uuid) -> Answer {
    eventually("the result in memory", async || {
        let before = recalled(app, "hit");
        let answer = ask(app, api, id).await;
        assert_eq!(answer.status, StatusCode::OK);
        (recalled(app, "hit") > before).then_some(answer)
    })
    .await
}

/// From now on, nobody can read a result in the database.
async fn hide_results(app: &TestApp) {
    let hide = "alter table aftercall.results rename to results_away";
    sqlx::query(hide).execute(&app.db.pool).await.unwrap();
}

/// Changes all results by hand, of which no process is told.
async fn change_unnoticed(app: &TestApp) {
    let change = "update aftercall.results set document = '{}', document_sha = sha256('{}')";
    sqlx::query(change).execute(&app.db.pool).await.unwrap();
}

#[tokio::test]
async fn a_result_that_was_read_lately_is_served_without_the_database() {
    let app = TestApp::start().await;
    app.feed_events();
    let id = completed(&app).await;
    let first = ask(&app, &app.api, id).await;
    assert_eq!(remembered(&app, &app.api, id).await.body, first.body);
    hide_results(&app).await;
    // An overloaded machine may let the trust in it lapse for a moment.
    let again = eventually("an answer from memory", async || {
        let again = ask(&app, &app.api, id).await;
        (again.status == StatusCode::OK).then_some(again)
    })
    .await;
    assert_eq!(again.body, first.body);
    for name in ["etag", "cache-control", "content-type", "content-length"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    let unchanged = eventually("another answer from memory", async || {
        let request = app.request("GET", &format!("/v1/jobs/{id}/result"));
        let answer = app.ask(request.header("if-none-match", first.header("etag"))).await;
        (answer.status == StatusCode::NOT_MODIFIED).then_some(answer)
    })
    .await;
    assert_eq!(unchanged.header("etag"), first.header("etag"));
    assert!(unchanged.body.is_empty());
}

#[tokio::test]
async fn a_result_in_memory_is_not_found_by_others() {
    let app = TestApp::start().await;
    app.feed_events();
    let id = completed(&app).await;
    remembered(&app, &app.api, id).await;
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    let bearer = format!("Bearer {}", other.text.expose_secret());
    let request =
        Request::get(format!("/v1/jobs/{id}/result")).header(header::AUTHORIZATION, bearer);
    app.ask(request).await.problem(404, "job-not-found");
    remembered(&app, &app.api, id).await;
}

#[tokio::test]
async fn without_memory_every_result_is_read() {
    let app = TestApp::with(|settings| settings.api.result_memory = bytesize::ByteSize(0)).await;
    app.feed_events();
    let id = completed(&app).await;
    for _ in 0..3 {
        assert_eq!(ask(&app, &app.api, id).await.status, StatusCode::OK);
    }
    change_unnoticed(&app).await;
    assert_eq!(ask(&app, &app.api, id).await.body, "{}");
    assert_eq!((recalled(&app, "hit"), recalled(&app, "miss")), (0.0, 0.0));
}

#[tokio::test]
async fn a_process_that_does_not_listen_remembers_nothing() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    for _ in 0..3 {
        assert_eq!(ask(&app, &app.api, id).await.status, StatusCode::OK);
    }
    assert_eq!((recalled(&app, "hit"), recalled(&app, "miss")), (0.0, 3.0));
}

#[tokio::test]
async fn what_was_missed_while_nobody_listened_is_not_served_afterwards() {
    let app = TestApp::start().await;
    app.feed_events();
    let id = completed(&app).await;
    remembered(&app, &app.api, id).await;
    change_unnoticed(&app).await;
    app.db.end_sessions().await;
    eventually_at(SOON, "the result as it is", async || {
        let answer = ask(&app, &app.api, id).await;
        (answer.body == "{}").then_some(())
    })
    .await;
    assert_eq!(remembered(&app, &app.api, id).await.body, "{}");
}
