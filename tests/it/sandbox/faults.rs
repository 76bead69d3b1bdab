//! Each fault does what its name says.
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::support::{Receiver, Running, settings};
use crate::support::eventually;

#[tokio::test]
async fn faults_of_the_answer_come_when_asked_for() {
    let mut sandbox = Running::start(settings()).await;
    let mut receiver = Receiver::start().await;
    let broken = sandbox.submit_with_faults(&receiver.url(), "broken").await.unwrap();
    assert_eq!(broken.status(), StatusCode::SERVICE_UNAVAILABLE);
    let unknown = sandbox.submit_with_faults(&receiver.url(), "brokn").await.unwrap();
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    assert!(unknown.text().await.unwrap().contains("throttled"));
    for (fault, status, says) in
        [("forbidden", 403, "CMN-401"), ("misdirected", 404, "AGW-404"), ("page", 404, "<html>")]
    {
        let refused = sandbox.submit_with_faults(&receiver.url(), fault).await.unwrap();
        assert_eq!(refused.status(), status);
        assert!(refused.text().await.unwrap().contains(says), "{fault}");
    }
    let gateway = sandbox.submit_with_faults(&receiver.url(), "bad-gateway").await.unwrap();
    assert_eq!(gateway.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(receiver.next().await.json()["status"], "Success", "and the job was accepted");
    let unauthorized = sandbox.submit_with_faults(&receiver.url(), "unauthorized").await.unwrap();
    assert_eq!(unauthorized.status(), StatusCode::UNAUTHORIZED);
    sandbox.log_in().await;

    let reset = sandbox.submit_with_faults(&receiver.url(), "reset").await;
    assert!(reset.is_err(), "the connection ends without an answer");
    assert_eq!(receiver.next().await.json()["status"], "Success", "and the job was accepted");
    let bare = sandbox.submit_with_faults(&receiver.url(), "no-job-id").await.unwrap();
    assert_eq!(bare.text().await.unwrap(), "");
    assert_eq!(receiver.next().await.json().get("jobId"), None);
    let early = sandbox.submit_with_faults(&receiver.url(), "early").await.unwrap();
    let accepted: Value = early.json().await.unwrap();
    let overtook = receiver.arrived().expect("the delivery came before the 202");
    assert_eq!(overtook.json()["jobId"], accepted["jobId"]);

    let throttled = sandbox.submit_with_faults(&receiver.url(), "throttled").await.unwrap();
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    let punished = sandbox.submit_with_faults(&receiver.url(), "").await.unwrap();
    assert_eq!(punished.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn faults_of_the_delivery_come_when_asked_for() {
    let sandbox = Running::start(settings()).await;
    let mut receiver = Receiver::start().await;
    for fault in
        ["fail", "quote", "duplicate", "truncated", "gzip", "chunked", "large", "wrong-types"]
    {
        sandbox.submit_with_faults(&receiver.url(), fault).await.unwrap();
        let delivery = receiver.next().await;
        match fault {
            "fail" => {
                let body = delivery.json();
                assert_eq!(body["response"]["errors"][0]["errorCode"], "CAI-101");
                assert_eq!(body["status"], "Fail");
            }
            "quote" => {
                let body = delivery.json();
                let message = body["response"]["errors"][0]["message"].as_str().unwrap();
                assert!(message.contains(&receiver.url()), "{message}");
            }
            "duplicate" => assert_eq!(receiver.next().await.body, delivery.body),
            "truncated" => assert!(serde_json::from_slice::<Value>(&delivery.body).is_err()),
            "gzip" => {
                assert_eq!(delivery.headers["content-encoding"], "gzip");
                assert_eq!(delivery.body[..2], [0x1f, 0x8b]);
            }
            "chunked" => {
                assert_eq!(delivery.headers["transfer-encoding"], "chunked");
                assert_eq!(delivery.json()["status"], "Success");
            }
            "large" => assert!(delivery.body.len() > 5 << 20),
            _ => {
                let body = delivery.json();
                assert_eq!(body["response"]["utteranceInsights"][0]["speakerId"], 0);
            }
        }
    }
}

#[tokio::test]
async fn a_lost_result_is_known_to_the_status_call_alone() {
    let sandbox = Running::start(settings()).await;
    let mut receiver = Receiver::start().await;
    let mut request = sandbox.sample();
    // With `early` the 202 comes after the job is done, so nothing can arrive later.
    let uri = sandbox.url("/media/support-call.wav?sandbox-faults=lost,early");
    request["contentUri"] = json!(uri);
    let answer = sandbox.submit(&receiver.url(), request).await;
    let accepted: Value = answer.json().await.unwrap();
    let status = sandbox.status(accepted["jobId"].as_str().unwrap()).await;
    assert_eq!(status.json::<Value>().await.unwrap()["status"], "Success");
    assert!(receiver.arrived().is_none());
}

/// Waits until the job with this provider id has its result.
async fn finished(sandbox: &Running, accepted: reqwest::Response) {
    let accepted: Value = accepted.json().await.unwrap();
    let id = accepted["jobId"].as_str().unwrap();
    eventually("a result", async || {
        let status: Value = sandbox.status(id).await.json().await.unwrap();
        (status["status"] == "Success").then_some(())
    })
    .await;
}

#[tokio::test]
async fn late_and_reordered_results_are_overtaken() {
    for fault in ["late", "reordered"] {
        let mut settings = settings();
        settings.rate_limit = 10_000;
        settings.late_by = Duration::from_hours(1);
        let sandbox = Running::start(settings).await;
        let (mut held, mut other) = (Receiver::start().await, Receiver::start().await);
        let answer = sandbox.submit_with_faults(&held.url(), fault).await.unwrap();
        finished(&sandbox, answer).await;
        // With `early` the response comes after the delivery.
        sandbox.submit_with_faults(&other.url(), "early").await.unwrap();
        assert!(other.arrived().is_some());
        if fault == "late" {
            assert!(held.arrived().is_none());
        } else {
            assert_eq!(held.next().await.json()["status"], "Success");
        }
    }
    let mut soon = settings();
    soon.late_by = Duration::ZERO;
    let sandbox = Running::start(soon).await;
    let mut receiver = Receiver::start().await;
    sandbox.submit_with_faults(&receiver.url(), "late").await.unwrap();
    assert_eq!(receiver.next().await.json()["status"], "Success");
}

#[tokio::test]
async fn who_gives_up_on_a_slow_answer_may_still_have_handed_over_a_job() {
    let mut settings = settings();
    settings.slow_by = Duration::from_hours(1);
    let sandbox = Running::start(settings).await;
    let mut receiver = Receiver::start().await;
    let url = receiver.url();
    tokio::select! {
        _ = sandbox.submit_with_faults(&url, "slow") => panic!("it was to be slow"),
        delivery = receiver.next() => assert_eq!(delivery.json()["status"], "Success"),
    }
}

#[tokio::test]
async fn of_a_truncated_result_only_the_first_delivery_ends_in_the_middle() {
    let sandbox = Running::start(settings()).await;
    for (answers, faults) in [(&[503][..], "truncated"), (&[200], "truncated,gzip,duplicate")] {
        let mut receiver = Receiver::answering(answers).await;
        sandbox.submit_with_faults(&receiver.url(), faults).await.unwrap();
        let (first, second) = (receiver.next().await.body, receiver.next().await.body);
        assert_eq!(first, second[..second.len() / 2], "{faults}");
    }
}

#[tokio::test]
async fn submissions_that_end_alike_are_told_of_in_the_same_body() {
    let sandbox = Running::start(settings()).await;
    let mut receiver = Receiver::start().await;
    for faults in ["same-body", "sameBody,fail"] {
        let mut bodies = Vec::new();
        for _ in 0..2 {
            let answer = sandbox.submit_with_faults(&receiver.url(), faults).await.unwrap();
            assert!(answer.json::<Value>().await.unwrap()["jobId"].is_string());
            bodies.push(receiver.next().await.body);
        }
        assert_eq!(bodies[0], bodies[1], "{faults}");
    }
}
