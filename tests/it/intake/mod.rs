//! Submissions: what is accepted, and what is then sent to the provider.
mod actions;
mod batch;
mod commands;
mod commits;
mod dedupe;
mod faults;
mod idempotency;
mod keys;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, webhook_of},
    fixture, without,
};

#[tokio::test]
async fn a_recording_is_answered_202_with_the_whole_job() {
    let app = TestApp::start().await;
    let body = json!({
        "contentUri": "https://me:hush@media.example/a.wav?access_token=hush",
        "encoding": "Wav", "speakerCount": 2, "sampleRate": 8000, "audioType": "CallCenter",
        "externalId": "call-42", "tags": ["support"], "metadata": { "agent": { "id": 7 } },
    });
    let answer = app.post("/v1/jobs", &body).await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::ACCEPTED, "W/\"1\""));
    assert_eq!(answer.header("location"), format!("/v1/jobs/{}", answer.id()));
    let shown = answer.json().to_string().replace(&answer.id().to_string(), "…");
    insta::assert_json_snapshot!(without(shown.parse().unwrap(), &["/createdAt", "/deadlineAt"]), @r#"
    {
      "id": "…",
      "state": "queued",
      "version": 1,
      "externalId": "call-42",
      "tags": [
        "support"
      ],
      "metadata": {
        "agent": {
          "id": 7
        }
      },
      "request": {
        "contentUri": "https://***@media.example/a.wav?access_token=***",
        "encoding": "Wav",
        "speakerCount": 2,
        "sampleRate": 8000,
        "audioType": "CallCenter",
        "languageCode": "en-US",
        "insights": [
          "All"
        ]
      },
      "attempts": 0,
      "completedVia": null,
      "error": null,
      "createdAt": "…",
      "submittedAt": null,
      "finishedAt": null,
      "deadlineAt": "…",
      "links": {
        "self": "/v1/jobs/…",
        "result": "/v1/jobs/…/result",
        "utterances": "/v1/jobs/…/utterances",
        "speakers": "/v1/jobs/…/speakers",
        "insights": "/v1/jobs/…/insights",
        "transcript": "/v1/jobs/…/transcript",
        "shape": "/v1/jobs/…/shape",
        "peaks": "/v1/jobs/…/peaks",
        "timeline": "/v1/jobs/…/timeline",
        "notifications": "/v1/jobs/…/notifications"
      }
    }
    "#);
    let mut seen = app.job(answer.id()).await;
    assert_eq!(seen.as_object_mut().unwrap().remove("queue").unwrap()["position"], 1);
    assert_eq!(seen, answer.json());
    assert_eq!(app.timeline(answer.id()).await, ["queued"]);
}

#[tokio::test]
async fn the_seeds_request_reaches_the_provider_as_it_is() {
    let app = TestApp::start().await;
    let body = fixture("seed/request.json");
    let answer = app.send(app.request("POST", "/v1/jobs"), body.clone()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    app.dispatcher.drain().await;
    let sent = app.submissions().await;
    let arrived: Value = sent[0].body_json().unwrap();
    assert_eq!(arrived, serde_json::from_str::<Value>(&body).unwrap());
}

#[tokio::test]
async fn the_provider_gets_every_member_of_its_own_with_defaults_and_none_of_ours() {
    let app = TestApp::start().await;
    let theirs = json!({
        "encoding": "Mpeg", "contentUri": "http://media.example/ä b.mp3?x=1&y=2#z",
        "languageCode": "en-GB", "sampleRate": 44100.5, "source": "Zoom", "audioType": "Voicemail",
        "separateSpeakerPerChannel": false, "speakerCount": -1, "speakerIds": ["a_1"],
        "enableVoiceActivityDetection": true, "insights": ["Emotion", "Topics", "Tasks"],
        "speechContexts": [{ "phrases": ["Aftercall"] }], "enablePunctuation": true,
        "enableSpeakerDiarization": true, "enableWordTimings": true,
    });
    let mut body = theirs.clone();
    for (name, value) in
        [("externalId", json!("e")), ("tags", json!(["t"])), ("metadata", json!({}))]
    {
        body[name] = value;
    }
    body["enrollmentIds"] = Value::Null;
    assert_eq!(app.post("/v1/jobs", &body).await.status, StatusCode::ACCEPTED);
    app.submit().await;
    app.dispatcher.drain().await;
    let sent = app.submissions().await;
    assert_eq!(sent[0].body_json::<Value>().unwrap(), theirs);
    let smallest: Value = sent[1].body_json().unwrap();
    assert_eq!(smallest["languageCode"], "en-US");
    assert_eq!(smallest["insights"], json!(["All"]));
    assert_eq!(smallest.as_object().unwrap().len(), 4);
}

#[tokio::test]
async fn content_is_kept_until_the_job_is_completed() {
    let app = TestApp::start().await;
    let body = json!({ "content": "UklGRg==", "encoding": "Wav" });
    let answer = app.post("/v1/jobs", &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(answer.json()["request"].get("content").is_none());
    app.dispatcher.drain().await;
    let sent = app.submissions().await;
    assert_eq!(sent[0].body_json::<Value>().unwrap()["content"], "UklGRg==");

    let contents = "select count(*) from aftercall.job_contents";
    assert_eq!(app.count(contents).await, 1);
    let webhook = webhook_of(&sent[0]);
    app.deliver(&webhook, fixture("seed/success.json")).await;
    assert_eq!(app.job(answer.id()).await["state"], "completed");
    assert_eq!(app.count(contents).await, 0);
}

#[tokio::test]
async fn the_openapi_document_names_exactly_the_members_that_are_known() {
    let (_, document) = aftercall::app::api();
    let document = serde_json::to_value(document).unwrap();
    let schema = &document["components"]["schemas"]["SubmitJob"]["properties"];
    let documented: BTreeSet<_> = schema.as_object().unwrap().keys().cloned().collect();
    let known: BTreeSet<_> = aftercall::intake::known_members().map(ToOwned::to_owned).collect();
    assert_eq!(documented, known);
}
