//! The parts of a result.
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{completed, part};
use crate::support::{app::TestApp, fixture};

#[tokio::test]
async fn utterances_come_in_pages_in_the_providers_order() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let first = part(&app, id, "utterances?limit=2").await;
    let expected = json!([
        {
            "seq": 0, "start": 0.31, "end": 3.9, "confidence": 0.94, "speakerId": "0",
            "speaker": null, "text": "Thank you for calling the workshop, how can I help?",
            "emotion": "Joy", "emotionConfidence": 0.81,
        },
        {
            "seq": 1, "start": 4.800_000_000_000_001, "end": 9.12, "confidence": 0.9,
            "speakerId": "1", "speaker": null, "text": "My bicycle loses its chain. Can you look at it today?",
            "emotion": "Sadness", "emotionConfidence": 0.44,
        },
    ]);
    assert_eq!(first["data"], expected);
    assert_eq!(first["hasMore"], true);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = part(&app, id, &format!("utterances?limit=2&cursor={cursor}")).await;
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert_eq!(second["data"][0]["seq"], 2);
    assert_eq!(second["hasMore"], false);
}

#[tokio::test]
async fn speakers_have_their_counts_insights_and_questions() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let speakers = part(&app, id, "speakers").await;
    let [first, second] = &speakers["data"].as_array().unwrap()[..] else { panic!("{speakers}") };
    let expected = json!({
        "speakerId": "0", "speaker": null, "utterances": 2, "words": 14, "talkSeconds": 5.11, "talkPercent": 54.2,
        "insights": [
            { "name": "Energy", "value": "93.65", "number": 93.65 },
            { "name": "Pace", "value": "medium", "number": 164.4 },
            { "name": "TalkToListenRatio", "value": "54:46", "number": 54.0 },
            { "name": "QuestionsAsked", "value": "1", "number": 1.0 },
        ],
        "questions": [
            { "text": "Thank you for calling the workshop, how can I help?", "start": 0.31, "end": 3.9 },
        ],
    });
    assert_eq!(first, &expected);
    assert_eq!(second["talkPercent"], 45.8);
    assert_eq!(second["questions"][0]["text"], "Can you look at it today?");
}

#[tokio::test]
async fn insights_are_listed_whole_or_by_name() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let all = part(&app, id, "insights").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 8);
    let phrases = part(&app, id, "insights?name=KeyPhrases").await;
    let values: Vec<_> = phrases["data"].as_array().unwrap().iter().map(|p| &p["value"]).collect();
    assert_eq!(values, ["bicycle", "chain", "bicycle"]);
    let tasks = part(&app, id, "insights?name=Tasks").await;
    let expected = json!([{
        "name": "Tasks", "seq": 0, "value": "Bring the bicycle", "start": 9.5, "end": null,
        "confidence": null, "speakerId": null, "speaker": null, "evidence": [2],
        "extra": { "assignee": "1", "category": "NextStep" },
    }]);
    assert_eq!(tasks["data"], expected);
    let extract = part(&app, id, "insights?name=ExtractiveSummary").await;
    assert_eq!(extract["data"][0]["value"], "My bicycle loses its chain.");
    for name in ["Topics", "keyphrases", "%2500"] {
        let none = part(&app, id, &format!("insights?name={name}")).await;
        assert_eq!(none["data"], json!([]), "{name}");
    }
}

#[tokio::test]
async fn a_result_without_anything_is_a_result() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, r#"{"status":"Success","response":{}}"#).await;
    let result = part(&app, job.id, "result").await;
    let expected = json!({
        "jobId": job.id, "providerJobId": job.provider_job_id, "parserVersion": 3, "partial": false, "issues": [],
    });
    assert_eq!(result, expected);
    for empty in ["utterances", "speakers", "insights"] {
        assert_eq!(part(&app, job.id, empty).await["data"], json!([]), "{empty}");
    }
}

#[tokio::test]
async fn results_asked_for_at_once_reach_whoever_asked() {
    let app = TestApp::start().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        let job = app.submitted().await;
        app.deliver(&job.webhook, fixture("seed/success.json")).await;
        expected.push((job.id, StatusCode::OK));
    }
    expected.push((app.submit().await, StatusCode::NOT_FOUND));
    expected.push((Uuid::now_v7(), StatusCode::NOT_FOUND));
    // Many more than two statements of 16 read at once.
    let asked = (0..100).map(async |n| {
        let (id, status) = expected[n % expected.len()];
        let answer = app.get(&format!("/v1/jobs/{id}/result")).await;
        assert_eq!(answer.status, status);
        if status == StatusCode::OK {
            assert_eq!(answer.json()["jobId"], id.to_string());
        }
    });
    futures_util::future::join_all(asked).await;
}
