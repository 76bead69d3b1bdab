//! Deliveries that are repeated, late, or unreadable. The provider gets a 200 in each case.
use aftercall::seal::Place;
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::{assert_acknowledged, enveloped, seed_success};
use crate::support::{
    app::{TestApp, seal, webhook_of},
    fixture,
};

#[tokio::test]
async fn a_duplicate_is_noted_and_changes_nothing() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, seed_success()).await;
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await;
    assert_acknowledged(&app.deliver(&job.webhook, seed_success()).await);
    assert_eq!(app.delivery_outcomes(job.id).await, ["accepted", "duplicate"]);
    assert_eq!(app.get(&format!("/v1/jobs/{}/result", job.id)).await.body, result.body);
    assert_eq!(app.timeline(job.id).await.last().unwrap(), "delivery");
    assert_eq!(app.last_event(job.id).await["outcome"], "duplicate");
    let stored = "select count(*) from aftercall.deliveries where body is not null";
    assert_eq!(app.count(stored).await, 1);
}

#[tokio::test]
async fn concurrent_identical_deliveries_store_one_result() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    for answer in join_all((0..6).map(|_| app.deliver(&job.webhook, seed_success()))).await {
        assert_acknowledged(&answer);
    }
    let mut outcomes = app.delivery_outcomes(job.id).await;
    outcomes.sort();
    let mut expected = vec!["accepted"];
    expected.extend(["duplicate"; 5]);
    assert_eq!(outcomes, expected);
    assert_eq!(app.count("select count(*) from aftercall.results").await, 1);
    assert_eq!(app.timeline(job.id).await.len(), 9);
}

#[tokio::test]
async fn of_concurrent_results_one_is_stored() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let bodies = [seed_success(), enveloped(&job.provider_job_id), fixture("seed/failure.json")];
    for answer in join_all(bodies.map(|body| app.deliver(&job.webhook, body))).await {
        assert_acknowledged(&answer);
    }
    let outcomes = app.delivery_outcomes(job.id).await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "accepted").count(), 1);
    assert_eq!(app.timeline(job.id).await.len(), 6);
    let completed = app.job(job.id).await["state"] == "completed";
    assert_eq!(app.count("select count(*) from aftercall.results").await, i64::from(completed));
}

#[tokio::test]
async fn the_first_result_wins() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, seed_success()).await;
    for other in [enveloped(&job.provider_job_id), fixture("seed/failure.json")] {
        assert_acknowledged(&app.deliver(&job.webhook, other).await);
    }
    assert_eq!(app.delivery_outcomes(job.id).await, ["accepted", "superseded", "superseded"]);
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    assert_eq!(result["utteranceInsights"][0]["start"], 2.52);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn a_failure_counts_only_for_the_attempt_that_the_job_waits_for() {
    let app = TestApp::start().await;
    let first = app.submitted().await;
    let failure = |detail: &str| fixture("seed/failure.json").replace("CAI-101", detail);
    app.deliver(&first.webhook, failure("CAI-101")).await;
    app.post(&format!("/v1/jobs/{}/retry", first.id), &json!({})).await;
    assert_acknowledged(&app.deliver(&first.webhook, failure("CAI-102")).await);
    assert_eq!(app.job(first.id).await["state"], "queued");

    assert_eq!(app.dispatcher.drain().await, 1);
    app.deliver(&first.webhook, failure("CAI-103")).await;
    assert_eq!(app.job(first.id).await["state"], "submitted");
    let second = webhook_of(&app.submissions().await[1]);
    app.deliver(&second, seed_success()).await;
    assert_eq!(app.job(first.id).await["state"], "completed");
    let outcomes = ["accepted", "late", "late", "accepted"];
    assert_eq!(app.delivery_outcomes(first.id).await, outcomes);
}

#[tokio::test]
async fn a_success_after_a_failure_is_late() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/failure.json")).await;
    assert_acknowledged(&app.deliver(&job.webhook, seed_success()).await);
    assert_eq!(app.delivery_outcomes(job.id).await, ["accepted", "late"]);
    assert_eq!(app.job(job.id).await["state"], "failed");
    assert_eq!(app.count("select count(*) from aftercall.results").await, 0);
}

#[tokio::test]
async fn a_failure_after_the_deadline_is_late() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.pass_deadline(job.id).await;
    app.about(job.id, "update aftercall.attempts set provider_job_id = null where job_id = $1")
        .await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(job.id).await["state"], "timed_out");
    assert_acknowledged(&app.deliver(&job.webhook, fixture("seed/failure.json")).await);
    assert_eq!(app.delivery_outcomes(job.id).await, ["late"]);
    assert_eq!(app.job(job.id).await["state"], "timed_out");
}

#[tokio::test]
async fn a_delivery_about_another_job_is_a_mismatch() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    assert_acknowledged(&app.deliver(&job.webhook, enveloped("rc-other")).await);
    assert_eq!(app.delivery_outcomes(job.id).await, ["mismatch"]);
    assert_eq!(app.job(job.id).await["state"], "submitted");
    assert_acknowledged(&app.deliver(&job.webhook, enveloped(&job.provider_job_id)).await);
    assert_eq!(app.delivery_outcomes(job.id).await, ["mismatch", "accepted"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_byte_for_byte() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let truncated = &seed_success()[..200];
    let bodies: [&[u8]; 9] = [
        b"",
        b"\0\xff\xfe<html>",
        truncated.as_bytes(),
        b"[]",
        b"{}",
        br#"{"status":"Done"}"#,
        br#"{"status":"Success"}"#,
        br#"{"status":"Success","response":[]}"#,
        br#"{"status":"InProgress"}"#,
    ];
    for body in bodies {
        assert_acknowledged(&app.deliver(&job.webhook, body.to_vec()).await);
    }
    assert_eq!(app.delivery_outcomes(job.id).await, ["malformed"; 9]);
    let query = "select id, body, reason from aftercall.deliveries order by id";
    let kept: Vec<(Uuid, Vec<u8>, Option<String>)> =
        sqlx::query_as(query).fetch_all(&app.db.pool).await.unwrap();
    for ((id, kept, reason), sent) in kept.iter().zip(bodies) {
        let place = Place { table: "deliveries", row: *id };
        assert_eq!(*seal().open(place, kept).unwrap(), sent);
        assert!(reason.as_ref().is_some_and(|reason| !reason.is_empty()));
    }
    assert_eq!(app.job(job.id).await["state"], "submitted");
    assert_acknowledged(&app.deliver(&job.webhook, seed_success()).await);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn a_result_that_is_half_right_is_kept_whole() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let response = json!({
        "utteranceInsights": [
            { "start": 0, "end": 1.5, "text": "Hello.", "speakerId": "0" },
            { "start": "soon", "end": 2, "text": 7 },
            "nonsense",
        ],
        "speakerInsights": { "speakerCount": "many", "insights": [
            { "name": "Charm", "values": [{ "speakerId": "0", "value": 3 }] },
        ]},
        "conversationalInsights": [{ "name": "Moods", "values": [{ "value": "calm" }] }, null],
        "novelty": { "deep": [1, 2] },
    });
    let body = json!({ "status": "Success", "response": response }).to_string();
    assert_acknowledged(&app.deliver(&job.webhook, body).await);
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    for name in ["utteranceInsights", "speakerInsights", "conversationalInsights"] {
        assert_eq!(result[name], response[name]);
    }
    assert_eq!(result["other"]["novelty"], response["novelty"]);
    assert_eq!(result["partial"], true);
    let issues = result["issues"].as_array().unwrap();
    assert!(
        issues.iter().any(|issue| issue["pointer"] == "/utteranceInsights/1/start"),
        "{result}"
    );
    let said = app.get(&format!("/v1/jobs/{}/utterances", job.id)).await.json();
    assert_eq!(said["data"].as_array().unwrap().len(), 1);
    let moods = app.get(&format!("/v1/jobs/{}/insights?name=Moods", job.id)).await.json();
    assert_eq!(moods["data"][0]["value"], "calm");
}

#[tokio::test]
async fn nul_and_lone_surrogates_in_a_result_are_kept_as_far_as_rows_can() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let body = r#"{"status":"Success","response":{"utteranceInsights":[
        {"start":0,"end":1,"text":"a\u0000b \ud800 c","speakerId":"0"}]}}"#;
    assert_acknowledged(&app.deliver(&job.webhook, body).await);
    assert_eq!(app.delivery_outcomes(job.id).await, ["accepted"]);
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    assert_eq!(result["partial"], true);
    let said = app.get(&format!("/v1/jobs/{}/utterances", job.id)).await.json();
    assert_eq!(said["data"][0]["text"], "a\u{fffd}b \u{fffd} c");
    let kept: Vec<u8> = sqlx::query_scalar("select body from aftercall.deliveries")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    assert_eq!(kept, body.as_bytes());
}
