//! Jobs about uploaded recordings.
use serde_json::{Value, json};
use uuid::Uuid;

use super::media_of;
use crate::support::{app::TestApp, fixture};

fn body_of(submission: &wiremock::Request) -> Value {
    serde_json::from_slice(&submission.body).unwrap()
}

#[tokio::test]
async fn a_job_names_its_recording_and_the_rest_is_filled_in() {
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    let answer = app.post("/v1/jobs", &json!({ "media": media, "externalId": "a" })).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let job = answer.json();
    assert_eq!(media_of(&job), Some(media));
    assert_eq!(job["request"]["encoding"], "Wav");
    assert_eq!(job["request"]["sampleRate"], 8000);
    assert!(job["request"].get("contentUri").is_none() && job["request"].get("media").is_none());

    let sent = app.dispatched(answer.id()).await;
    let body = body_of(app.submissions().await.last().unwrap());
    let uri = body["contentUri"].as_str().unwrap();
    assert!(uri.starts_with("https://in.example/after%20call/media/"), "{uri}");
    assert_eq!((&body["encoding"], &body["sampleRate"]), (&"Wav".into(), &8000.into()));
    assert!(body.get("media").is_none() && body.get("externalId").is_none());

    // Its token is nowhere: neither the webhook's nor in the clear.
    let token = uri.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    assert!(!sent.webhook.contains(token));
    let page = app.get(&format!("/v1/jobs/{}/timeline", sent.id)).await.json();
    for shown in [app.job(sent.id).await, page] {
        assert!(!shown.to_string().contains(token), "{shown}");
    }
    let stored = app
        .count("select count(*) from aftercall.attempts where octet_length(media_sha) = 32")
        .await;
    assert_eq!(stored, 1);

    let result = fixture("delivery-2023.json").replace("@jobId", &sent.provider_job_id);
    assert_eq!(app.deliver(&sent.webhook, result).await.status, 200);
    assert_eq!(app.job(sent.id).await["state"], "completed");
    let listed = app.get("/v1/jobs").await.json();
    assert_eq!(media_of(&listed["data"][0]), Some(media));
}

#[tokio::test]
async fn a_batch_takes_recordings_item_by_item() {
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    let body = json!({ "jobs": [{ "media": media }, { "media": Uuid::now_v7() }] });
    let request = app.request("POST", "/v1/jobs/batch").header("idempotency-key", "a");
    let answer = app.send(request, body.to_string()).await.json();
    assert_eq!(answer["data"][0]["status"], 202, "{answer}");
    assert_eq!(media_of(&answer["data"][0]["job"]), Some(media));
    assert_eq!(answer["data"][1]["problem"]["errors"][0]["pointer"], "#/media");
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 1);
}

#[tokio::test]
async fn what_does_not_fit_the_recording_is_a_fault() {
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    let other = app.as_caller("other").await;
    let cases = [
        (json!({ "media": media, "contentUri": "https://a.example/b" }), "#/media conflict"),
        (json!({ "media": media, "content": "AAAA" }), "#/media conflict"),
        (json!({ "media": "call-42" }), "#/media format"),
        (json!({ "media": 7 }), "#/media type"),
        (json!({ "media": Uuid::now_v7() }), "#/media unknown"),
        (json!({ "media": media, "encoding": "Mpeg" }), "#/encoding conflict"),
        (json!({ "media": media, "sampleRate": 44100 }), "#/sampleRate conflict"),
    ];
    for (body, fault) in cases {
        assert_eq!(app.post("/v1/jobs", &body).await.faults(), [fault], "{body}");
    }
    let theirs = other.post("/v1/jobs", &json!({ "media": media })).await;
    assert_eq!(theirs.faults(), ["#/media unknown"], "as if it did not exist");
    let same = json!({ "media": media, "encoding": "Wav", "sampleRate": 8000.0 });
    assert_eq!(app.post("/v1/jobs", &same).await.status, 202);
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 1);
}

#[tokio::test]
async fn a_provider_that_quotes_the_url_gives_nothing_away() {
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    let quoting = |request: &wiremock::Request| {
        let uri = body_of(request)["contentUri"].as_str().unwrap().to_owned();
        let errors = json!({ "errors": [{ "errorCode": "CAI-101", "message": format!("cannot fetch {uri} now") }] });
        wiremock::ResponseTemplate::new(400).set_body_json(errors)
    };
    app.answer_submissions(quoting).await;
    let id = app.post("/v1/jobs", &json!({ "media": media })).await.id();
    assert_eq!(app.dispatcher.drain().await, 1);
    let job = app.job(id).await;
    assert_eq!(job["error"]["message"], "cannot fetch [redacted] now", "{job}");
}
