//! Deliveries: what is stored, what the job becomes, and the response to the provider.
mod bodies;
mod hostile;
mod outcomes;
mod refused;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    answer::Answer,
    app::{Submitted, TestApp, client_of},
    fixture,
    manual::Manual,
};

/// A delivery of 2023 for the job that the provider calls `id`.
fn enveloped(id: &str) -> String {
    fixture("delivery-2023.json").replace("@jobId", id)
}

fn seed_success() -> String {
    fixture("seed/success.json")
}

#[track_caller]
fn assert_acknowledged(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body, "{}");
}

/// Asserts that the job's result contains the provider's `response` member for member.
async fn assert_served_back(app: &TestApp, job: &Submitted, body: &str) {
    let sent = serde_json::from_str::<Value>(body).unwrap()["response"].clone();
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    for (name, value) in sent.as_object().unwrap() {
        let served = if name == "trackerInsights" { &result["other"][name] } else { &result[name] };
        assert_eq!(served.to_string(), value.to_string());
    }
    assert_eq!(result["jobId"], job.id.to_string());
    assert_eq!(result["partial"], false);
    assert_eq!(result["issues"], json!([]));
}

#[tokio::test]
async fn the_seeds_success_completes_the_job_and_is_served_back() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    assert_acknowledged(&app.deliver(&job.webhook, seed_success()).await);
    let view = app.job(job.id).await;
    assert_eq!(view["state"], "completed");
    assert_eq!(view["completedVia"], "webhook");
    assert_served_back(&app, &job, &seed_success()).await;
    assert_eq!(app.timeline(job.id).await, ["queued", "submitting", "submitted", "completed"]);
    for (rows, query) in [
        (1, "select count(*) from aftercall.utterances where emotion = 'Neutral'"),
        (2, "select count(*) from aftercall.speakers"),
        (6, "select count(*) from aftercall.speaker_insights"),
        (1, "select count(*) from aftercall.conversation_insights"),
        (1, "select count(*) from aftercall.results where speaker_count = 2 and not is_partial"),
    ] {
        assert_eq!(app.count(query).await, rows, "{query}");
    }
}

#[tokio::test]
async fn an_enveloped_delivery_is_served_back_to_the_last_digit() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let body = enveloped(&job.provider_job_id);
    assert_acknowledged(&app.deliver(&job.webhook, body.clone()).await);
    assert_served_back(&app, &job, &body).await;
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await;
    assert_eq!(result.json()["providerJobId"], job.provider_job_id);
    assert!(String::from_utf8_lossy(&result.body).contains("4.800000000000001"));
    for (rows, query) in [
        (3, "select count(*) from aftercall.utterances"),
        (1, "select count(*) from aftercall.utterances where word_timings is not null"),
        (8, "select count(*) from aftercall.speaker_insights where number is not null"),
        (2, "select count(*) from aftercall.questions"),
        (8, "select count(*) from aftercall.conversation_insights"),
    ] {
        assert_eq!(app.count(query).await, rows, "{query}");
    }
}

#[tokio::test]
async fn the_seeds_failure_fails_the_job_with_code_message_and_parameter() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    assert_acknowledged(&app.deliver(&job.webhook, fixture("seed/failure.json")).await);
    let view = app.job(job.id).await;
    assert_eq!(view["state"], "failed");
    let expected = json!({
        "class": "analysis", "code": "CAI-101", "parameter": "contentUri", "retryable": false,
        "message": "Parameter [contentUri] is invalid. It should be a valid uri",
    });
    assert_eq!(view["error"], expected);
    assert_eq!(app.timeline(job.id).await.last().unwrap(), "failed");
}

#[tokio::test]
async fn a_webhook_that_overtakes_the_202_completes_the_job() {
    let mut app = TestApp::start().await;
    let provider = Manual::bind().await;
    app.dispatcher.accounts[0].client = client_of(&provider.url());
    let id = app.submit().await;
    let dispatcher = app.dispatcher.clone();
    let sending = tokio::spawn(async move { dispatcher.drain().await });
    let held = provider.submission().await;
    assert_eq!(app.job(id).await["state"], "submitting");
    assert_acknowledged(&app.deliver(&held.webhook, enveloped("rc-early")).await);
    assert_eq!(app.job(id).await["state"], "completed");

    held.accept("rc-early").await;
    assert_eq!(sending.await.unwrap(), 1);
    assert_eq!(app.job(id).await["state"], "completed");
    assert_eq!(app.timeline(id).await, ["queued", "submitting", "completed"]);
    assert_eq!(app.attempt_outcomes(id).await, ["accepted"]);
}

#[tokio::test]
async fn a_validation_token_is_echoed_and_the_body_still_read() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let token = "v".repeat(255);
    let request = Request::post(&job.webhook).header("Validation-Token", &token);
    let answer = Answer::of(&app.webhook, request.body(seed_success().into()).unwrap()).await;
    assert_acknowledged(&answer);
    assert_eq!(answer.header("validation-token"), token);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn a_validation_token_that_is_no_token_is_not_echoed() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    for token in ["v".repeat(256), "schlüssel".to_owned(), "a\tb".to_owned()] {
        let request = Request::post(&job.webhook).header("Validation-Token", token.as_bytes());
        let answer = Answer::of(&app.webhook, request.body(Body::from("{}")).unwrap()).await;
        assert_acknowledged(&answer);
        assert!(!answer.headers.contains_key("validation-token"), "{token}");
    }
}

#[tokio::test]
async fn the_whole_answer_keeps_to_1024_bytes() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app.webhook.clone()).into_future());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (token, id) = ("v".repeat(255), "r".repeat(128));
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: in.example\r\nconnection: close\r\n{}: chunked\r\n\
         validation-token: {token}\r\nx-request-id: {id}\r\n\r\n",
        job.webhook,
        header::TRANSFER_ENCODING
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for chunk in seed_success().as_bytes().chunks(100) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
        stream.write_all(chunk).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(&token), "{answer}");
    assert!(answer.len() <= 1024, "{} bytes", answer.len());
    assert_eq!(app.job(job.id).await["state"], "completed");
}
