//! `GET /v1/jobs/{id}?wait=`.
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::{complete, waiting};
use crate::support::{app::TestApp, soon};

#[tokio::test]
async fn a_wait_ends_the_moment_the_job_does() {
    let app = TestApp::start().await;
    app.feed_events();
    let fail = json!({ "status": "Fail", "response": { "errors": [] } }).to_string();
    for state in ["completed", "failed", "canceled"] {
        let job = app.submitted().await;
        let path = format!("/v1/jobs/{}?wait=60", job.id);
        let end = async {
            waiting(&app, 3).await;
            match state {
                "completed" => complete(&app, &job).await,
                "failed" => _ = app.deliver(&job.webhook, fail.clone()).await,
                _ => _ = app.post(&format!("/v1/jobs/{}/cancel", job.id), &json!({})).await,
            }
        };
        let answers = async { tokio::join!(app.get(&path), app.get(&path), app.get(&path)) };
        let ((a, b, c), ()) = soon(state, async { tokio::join!(answers, end) }).await;
        for answer in [a, b, c] {
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.json(), app.job(job.id).await);
            assert_eq!(answer.json()["state"], state);
        }
        waiting(&app, 0).await;
    }
}

#[tokio::test]
async fn a_final_job_is_answered_at_once_and_an_open_one_as_it_is_after_the_wait() {
    let app = TestApp::start().await;
    app.feed_events();
    let job = app.submitted().await;
    let ask = async |wait: &str| -> serde_json::Value {
        soon("an answer", app.get(&format!("/v1/jobs/{}?wait={wait}", job.id))).await.json()
    };
    for wait in ["0", "1"] {
        assert_eq!(ask(wait).await["state"], "submitted");
    }
    complete(&app, &job).await;
    assert_eq!(ask("60").await["state"], "completed");
    // A job that ended and was retried can be waited for again.
    let job = app.submitted().await;
    let failure = json!({ "status": "Fail", "response": { "errors": [] } }).to_string();
    let fail = async || app.deliver(&job.webhook, failure.clone()).await.status;
    assert_eq!(fail().await, StatusCode::OK);
    app.post(&format!("/v1/jobs/{}/retry", job.id), &json!({})).await;
    let path = format!("/v1/jobs/{}?wait=60", job.id);
    let end = async {
        waiting(&app, 1).await;
        assert_eq!(fail().await, StatusCode::OK, "a duplicate ends no wait");
        app.post(&format!("/v1/jobs/{}/cancel", job.id), &json!({})).await
    };
    let (answer, _) = soon("its end", async { tokio::join!(app.get(&path), end) }).await;
    assert_eq!(answer.json()["state"], "canceled");
}

#[tokio::test]
async fn a_preference_is_a_wait_too_and_is_said_to_be_applied() {
    let app = TestApp::start().await;
    app.feed_events();
    let job = app.submitted().await;
    let path = format!("/v1/jobs/{}", job.id);
    let request = app.request("GET", &path).header("prefer", "respond-async, wait=600");
    let end = async {
        waiting(&app, 1).await;
        complete(&app, &job).await;
    };
    let (answer, ()) = soon("the end", async { tokio::join!(app.ask(request), end) }).await;
    assert_eq!(answer.json()["state"], "completed");
    assert_eq!(answer.header("preference-applied"), "wait=60");

    let both = app.request("GET", &format!("{path}?wait=1")).header("prefer", "wait=2");
    assert!(!app.ask(both).await.headers.contains_key("preference-applied"));
    let unclear = app.request("GET", &path).header("prefer", "wait=soon");
    assert!(!app.ask(unclear).await.headers.contains_key("preference-applied"));
}

#[tokio::test]
async fn waits_have_bounds_and_are_for_ones_own_jobs() {
    let app = TestApp::start().await;
    app.feed_events();
    let id = app.submit().await;
    for wait in ["61", "-1", "1.5", "30s", "%2B1", "18446744073709551616"] {
        let problem = app.get(&format!("/v1/jobs/{id}?wait={wait}")).await;
        let problem = problem.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "wait");
    }
    let unknown = app.get("/v1/jobs/00000000-0000-7000-8000-000000000000?wait=60");
    soon("an answer", unknown).await.problem(404, "job-not-found");
    waiting(&app, 0).await;
}

#[tokio::test]
async fn the_deadline_of_a_request_comes_after_its_wait() {
    let app = TestApp::with(|settings| settings.api.request_timeout = Duration::ZERO).await;
    app.feed_events();
    let wait = app.request("POST", "/v1/jobs").header("prefer", "wait=60");
    let body = json!({ "contentUri": crate::support::app::RECORDING, "encoding": "Wav" });
    let id = app.send(wait, body.to_string()).await.id();
    app.get(&format!("/v1/jobs/{id}")).await.problem(504, "took-too-long");
    let path = format!("/v1/jobs/{id}?wait=60");
    let end = async {
        waiting(&app, 1).await;
        let cancel = app.request("POST", &format!("/v1/jobs/{id}/cancel"));
        app.ask(cancel.header("prefer", "wait=60")).await
    };
    let (answer, _) = soon("its end", async { tokio::join!(app.get(&path), end) }).await;
    assert_eq!(answer.json()["state"], "canceled");
}

#[tokio::test]
async fn waits_end_with_the_process() {
    let app = TestApp::start().await;
    app.feed_events();
    let id = app.submit().await;
    let path = format!("/v1/jobs/{id}?wait=60");
    let stop = async {
        waiting(&app, 1).await;
        app.stop.cancel();
    };
    let (answer, ()) = soon("an answer", async { tokio::join!(app.get(&path), stop) }).await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("queued")));
}
