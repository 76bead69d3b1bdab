//! Callers read their jobs and results.
mod counts;
mod evidence;
mod exports;
mod filters;
mod lists;
mod long;
mod results;
mod search;
mod speakers;
mod suggestions;
mod transcripts;
mod utterances;
mod walks;

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{app::TestApp, fixture};

/// A job completed with the result of 2023.
pub async fn completed(app: &TestApp) -> Uuid {
    let job = app.submitted().await;
    let body = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    assert_eq!(app.deliver(&job.webhook, body).await.status, 200);
    job.id
}

/// A part of a job's result.
async fn part(app: &TestApp, id: Uuid, part: &str) -> Value {
    let answer = app.get(&format!("/v1/jobs/{id}/{part}")).await;
    assert_eq!(answer.status, 200, "{part}");
    assert_eq!(answer.header("cache-control"), "private, no-store");
    answer.json()
}

#[tokio::test]
async fn an_unchanged_job_is_not_sent_again() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    let path = format!("/v1/jobs/{id}");
    assert_eq!(app.get(&path).await.header("etag"), "W/\"1\"");
    for known in ["W/\"1\"", "\"1\"", "W/\"0\", W/\"1\"", "*"] {
        let answer = app.ask(app.request("GET", &path).header("if-none-match", known)).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(answer.header("etag"), "W/\"1\"");
        assert!(answer.body.is_empty());
    }
    app.dispatcher.drain().await;
    let answer = app.ask(app.request("GET", &path).header("if-none-match", "W/\"1\"")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("etag"), "W/\"3\"");
}

#[tokio::test]
async fn an_unchanged_result_is_not_sent_again() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    let path = format!("/v1/jobs/{}/result", job.id);
    let result = app.get(&path).await;
    let etag = result.header("etag");
    assert!(etag.starts_with('"') && etag.len() == 66, "{etag}");
    assert_eq!(result.header("cache-control"), "private, no-store");
    assert_eq!(app.get(&path).await.body, result.body);
    let answer = app.ask(app.request("GET", &path).header("if-none-match", etag)).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    assert_eq!(answer.header("etag"), etag);
    assert!(answer.body.is_empty());
    let other = app.ask(app.request("GET", &path).header("if-none-match", "\"x\"")).await;
    assert_eq!(other.status, StatusCode::OK);
}

#[tokio::test]
async fn a_job_without_a_result_says_so() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    for part in ["result", "utterances", "speakers", "insights"] {
        let answer = app.get(&format!("/v1/jobs/{}/{part}", job.id)).await;
        let problem = answer.problem(404, "result-not-available");
        assert_eq!(problem["detail"], "the job is submitted and has no result");
    }
    app.deliver(&job.webhook, fixture("seed/failure.json")).await;
    let answer = app.get(&format!("/v1/jobs/{}/result", job.id)).await;
    let problem = answer.problem(404, "result-not-available");
    assert_eq!(problem["detail"], "the job is failed and has no result");
}

#[tokio::test]
async fn an_unknown_job_and_no_job_id_are_told_apart() {
    let app = TestApp::start().await;
    let id = Uuid::now_v7();
    let answer = app.get(&format!("/v1/jobs/{id}")).await;
    let problem = answer.problem(404, "job-not-found");
    assert_eq!(problem["detail"], format!("this caller has no job {id}"));
    for part in ["", "/result", "/timeline"] {
        app.get(&format!("/v1/jobs/42{part}")).await.problem(400, "invalid-parameter");
    }
    app.get("/v1/jobs/%ff").await.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn the_timeline_comes_in_pages_with_its_details() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, "{").await;
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    let mut kinds = Vec::new();
    let mut path = format!("/v1/jobs/{}/timeline?limit=2", job.id);
    loop {
        let page = app.get(&path).await.json();
        let events = page["data"].as_array().unwrap();
        kinds.extend(events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()));
        assert_eq!(page["hasMore"], page["nextCursor"].is_string());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/jobs/{}/timeline?limit=2&cursor={cursor}", job.id);
    }
    assert_eq!(kinds, app.timeline(job.id).await);
    assert_eq!(kinds, ["queued", "submitting", "submitted", "delivery", "completed"]);
    let completed = json!({ "attempt": 1, "via": "webhook", "late": false });
    assert_eq!(app.last_event(job.id).await, completed);
}
