//! The provider emulator over real sockets: `RingCentral`'s contract, and our own choices.
mod faults;
mod ledger;
pub mod support;

use aftercall::{config::Envelope, provider::wire};
use reqwest::StatusCode;
use serde_json::{Value, json};

use self::support::{Receiver, Running, base64, bytes_of, fixture, settings};

#[tokio::test]
async fn a_submission_is_accepted_and_its_result_delivered() {
    let sandbox = Running::start(settings()).await;
    let mut receiver = Receiver::start().await;
    let answer = sandbox.submit(&receiver.url(), sandbox.sample()).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["x-rate-limit-group"], "heavy");
    assert_eq!(answer.headers()["x-rate-limit-remaining"], "9");
    let request_id = answer.headers()["rcrequestid"].clone();
    let accepted: Value = answer.json().await.unwrap();

    let delivery = receiver.next().await;
    assert_eq!(delivery.headers["content-type"], "application/json");
    assert_eq!(delivery.headers["rcrequestid"], request_id);
    assert_eq!(delivery.query, "attempt=1&job=2");
    let body = delivery.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    let expected =
        ["jobId", "api", "creationTime", "completionTime", "expirationTime", "status", "response"];
    assert_eq!(members, expected);
    assert_eq!(body["jobId"], accepted["jobId"]);
    assert_eq!(body["api"], "/ai/insights/v1/async/analyze-interaction");
    assert_eq!(body["status"], "Success");
    let first = &body["response"]["utteranceInsights"][0];
    assert_eq!(first["text"], "Thank you for calling Northwind support, this is Robin.");

    let status = sandbox.status(accepted["jobId"].as_str().unwrap()).await;
    assert_eq!(status.status(), StatusCode::OK);
    assert_eq!(status.headers()["x-rate-limit-remaining"], "8", "one budget for both calls");
    assert_eq!(status.json::<Value>().await.unwrap(), body);
}

#[tokio::test]
async fn all_insights_come_in_the_order_of_the_samples_and_only_those_asked_for() {
    let sandbox = Running::start(settings()).await;
    let all = sandbox.result(sandbox.sample()).await;
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        list.iter().map(|insight| insight["name"].as_str().unwrap().to_owned()).collect()
    };
    let speakers = &all["speakerInsights"]["insights"];
    assert_eq!(names(speakers), ["Energy", "Pace", "TalkToListenRatio", "QuestionsAsked"]);
    assert_eq!(
        names(&all["conversationalInsights"]),
        [
            "KeyPhrases",
            "ExtractiveSummary",
            "Topics",
            "Tasks",
            "AbstractiveSummaryLong",
            "AbstractiveSummaryShort"
        ]
    );
    let mut request = sandbox.sample();
    request["insights"] = json!(["Pace", "Title"]);
    let some = sandbox.result(request).await;
    assert_eq!(names(&some["speakerInsights"]["insights"]), ["Pace"]);
    assert_eq!(names(&some["conversationalInsights"]), ["Titles"]);
    assert_eq!(some["utteranceInsights"][0]["insights"], json!([]));
}

/// Measured independently by sox 14.4.2, for channel c = 1 and 2 of src/sandbox/samples/support-call.wav:
///   sox support-call.wav c.wav remix c silence 1 0.02 0.5% -1 0.3 0.5%
///   soxi -D c.wav; sox c.wav -n stats     (RMS lev dB)
/// Talk: 27.44 s and 14.97 s. Level of the speech: -21.16 dB and -25.06 dB.
const SOX_TALK: [f64; 2] = [27.44, 14.97];
const SOX_LEVEL: [f64; 2] = [-21.16, -25.06];

#[tokio::test]
async fn energy_and_talk_ratio_agree_with_sox() {
    let sandbox = Running::start(settings()).await;
    let result = sandbox.result(sandbox.sample()).await;
    let insight = |name: &str| {
        let insights = result["speakerInsights"]["insights"].as_array().unwrap();
        insights.iter().find(|insight| insight["name"] == name).unwrap()["values"].clone()
    };
    for (speaker, level) in SOX_LEVEL.iter().enumerate() {
        // 0 to 100 for -60 dB to 0 dB. Sox keeps short pauses that we leave out, so within 1.5 dB.
        let expected = 100.0 * (level + 60.0) / 60.0;
        let energy = insight("Energy")[speaker]["value"].as_f64().unwrap();
        assert!((energy - expected).abs() < 2.5, "{energy} against {expected}");
        // Both cut silence at their own thresholds, so within 5 %.
        let talk = result["sandbox"]["speechPerVoice"][speaker].as_f64().unwrap();
        assert!(
            (talk / SOX_TALK[speaker] - 1.0).abs() < 0.05,
            "{talk} against {}",
            SOX_TALK[speaker]
        );
    }
    let ratio = insight("TalkToListenRatio")[0]["value"].as_str().unwrap().to_owned();
    let (talk, listen) = ratio.split_once(':').unwrap();
    let (talk, listen): (f64, f64) = (talk.parse().unwrap(), listen.parse().unwrap());
    let expected = 100.0 * SOX_TALK[0] / (SOX_TALK[0] + SOX_TALK[1]);
    assert!((talk - expected).abs() <= 1.5, "{talk} against {expected}");
    assert!((talk + listen - 100.0).abs() < 0.1, "{ratio}");
}

#[tokio::test]
async fn every_format_is_decoded_and_words_without_a_transcript_are_marked() {
    let mut settings = settings();
    settings.rate_limit = 20;
    let sandbox = Running::start(settings).await;
    for file in ["tone.wav", "mulaw.wav", "tone.mp3", "tone.m4a", "tone.ogg", "tone.flac"] {
        let request = json!({
            "content": fixture(file), "encoding": "Wav", "languageCode": "en-US",
            "separateSpeakerPerChannel": true, "insights": ["TalkToListenRatio"],
        });
        let result = sandbox.result(request).await;
        assert_eq!(result["sandbox"]["words"], "script", "{file}");
        let utterances = result["utteranceInsights"].as_array().unwrap();
        assert_eq!(utterances[0]["text"], "This is sandbox text.", "{file}");
        // Left speaks from 0.5 s to 1.0 s, right from 1.2 s to 1.8 s: 45 % to 55 %.
        let value = &result["speakerInsights"]["insights"][0]["values"][0]["value"];
        let talk: f64 = value.as_str().unwrap().split(':').next().unwrap().parse().unwrap();
        assert!((talk - 45.5).abs() < 3.0, "{file}: {talk}");
        let start = utterances[0]["start"].as_f64().unwrap();
        assert!((start - 0.5).abs() < 0.12, "{file}: {start}");
    }
}

#[tokio::test]
async fn the_bundled_recording_has_its_words_wherever_it_comes_from() {
    let sandbox = Running::start(settings()).await;
    let mut request = sandbox.sample();
    request["content"] = base64(&bytes_of(&sandbox.url("/media/support-call.wav")).await).into();
    request.as_object_mut().unwrap().remove("contentUri");
    let result = sandbox.result(request).await;
    assert_eq!(result["sandbox"]["words"], "webvtt");
    assert_eq!(result["utteranceInsights"][7]["text"], "Why was I charged twice?");
}

#[tokio::test]
async fn what_the_contract_forbids_is_refused_with_every_fault_named() {
    let sandbox = Running::start(settings()).await;
    let refused = json!({
        "contentUri": "not a uri", "encoding": "Mp3", "languageCode": "de-DE", "audioType": "Talk",
        "insights": ["Everything"], "separateSpeakerPerChannel": "yes", "speakerIds": ["nobody"],
    });
    let answer = sandbox.submit("http://127.0.0.1:9/", refused).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let body: Value = answer.json().await.unwrap();
    let mut names: Vec<&str> = Vec::new();
    for error in body["errors"].as_array().unwrap() {
        assert_eq!(error["errorCode"], "CAI-101");
        names.push(error["parameterName"].as_str().unwrap());
    }
    names.sort_unstable();
    let expected = [
        "audioType",
        "contentUri",
        "encoding",
        "insights",
        "languageCode",
        "separateSpeakerPerChannel",
        "speakerIds",
    ];
    assert_eq!(names, expected);
    let uri =
        body["errors"].as_array().unwrap().iter().find(|e| e["parameterName"] == "contentUri");
    // The provider's published example.
    assert_eq!(
        uri.unwrap()["message"],
        "Parameter [contentUri] is invalid. It should be a valid uri"
    );

    let mut both = sandbox.sample();
    both["content"] = json!("AAAA");
    assert_eq!(sandbox.refusal(both).await, "content");
    assert_eq!(sandbox.refusal(json!({ "encoding": "Wav" })).await, "contentUri");
    let no_webhook = sandbox.post(wire::ANALYZE_PATH, sandbox.sample()).await;
    assert_eq!(no_webhook.status(), StatusCode::BAD_REQUEST);
    assert!(no_webhook.text().await.unwrap().contains("webhook"));
}

#[tokio::test]
async fn requests_without_a_good_token_are_told_what_is_wrong() {
    let mut sandbox = Running::start(settings()).await;
    let codes = |body: &Value| (body["errorCode"].clone(), body["errors"][0]["errorCode"].clone());
    let good = std::mem::replace(&mut sandbox.token, "made-up".to_owned());
    let answer = sandbox.status("x").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(codes(&answer.json().await.unwrap()), (json!("TokenInvalid"), json!("OAU-149")));

    let revoked = sandbox.revoke(&good).await;
    assert_eq!((revoked.status(), revoked.text().await.unwrap()), (StatusCode::OK, String::new()));
    sandbox.token = good;
    let answer = sandbox.status("x").await;
    assert_eq!(codes(&answer.json().await.unwrap()), (json!("TokenInvalid"), json!("OAU-213")));

    let bare = sandbox.client.get(sandbox.url("/ai/status/v1/jobs/x")).send().await.unwrap();
    assert_eq!(codes(&bare.json().await.unwrap()).0, "AGW-401");

    let wrong = sandbox.grant("sandbox-client", "wrong", "sandbox-jwt").await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert!(wrong.headers().contains_key("www-authenticate"));
    assert_eq!(wrong.json::<Value>().await.unwrap()["error"], "invalid_client");
    let wrong = sandbox.grant("sandbox-client", "sandbox-secret", "wrong").await;
    assert_eq!(wrong.json::<Value>().await.unwrap()["error"], "invalid_grant");
}

#[tokio::test]
async fn one_login_too_many_is_throttled_in_a_group_of_its_own() {
    let mut settings = settings();
    settings.auth_rate_limit = 2;
    let sandbox = Running::start(settings).await;
    let second = sandbox.grant("sandbox-client", "sandbox-secret", "sandbox-jwt").await;
    assert_eq!(second.status(), StatusCode::OK);
    let third = sandbox.grant("sandbox-client", "sandbox-secret", "sandbox-jwt").await;
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(third.headers()["x-rate-limit-group"], "auth");
}

#[tokio::test]
async fn one_call_too_many_is_429_with_the_wait_and_status_calls_count_too() {
    let mut settings = settings();
    settings.rate_limit = 1;
    let sandbox = Running::start(settings).await;
    let unknown = sandbox.status("00000000-0000-4000-8000-000000000000").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let answer = sandbox.submit("http://127.0.0.1:9/", sandbox.sample()).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "60");
    assert_eq!(answer.headers()["x-rate-limit-remaining"], "0");
    assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["errorCode"], "CMN-301");
}

#[tokio::test]
async fn a_result_is_delivered_again_until_exactly_200() {
    let sandbox = Running::start(settings()).await;
    let mut receiver = Receiver::answering(&[500, 204, 200]).await;
    sandbox.submit(&receiver.url(), sandbox.sample()).await;
    let first = receiver.next().await;
    assert_eq!(receiver.next().await.body, first.body);
    assert_eq!(receiver.next().await.body, first.body);
}

#[tokio::test]
async fn a_recording_that_cannot_be_fetched_fails_on_the_webhook() {
    let sandbox = Running::start(settings()).await;
    let mut receiver = Receiver::start().await;
    let mut request = sandbox.sample();
    request["contentUri"] = json!(sandbox.url("/media/nothing.wav?access_token=hush"));
    let answer = sandbox.submit(&receiver.url(), request).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let body = receiver.next().await.json();
    assert_eq!(body["status"], "Fail");
    let error = &body["response"]["errors"][0];
    assert_eq!(error["parameterName"], "contentUri");
    assert!(!error.to_string().contains("hush"), "{error}");
}

#[tokio::test]
async fn the_2022_generation_has_no_job_id_anywhere() {
    let mut settings = settings();
    settings.envelope = Envelope::Bare;
    let sandbox = Running::start(settings).await;
    let mut receiver = Receiver::start().await;
    let answer = sandbox.submit(&receiver.url(), sandbox.sample()).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.text().await.unwrap(), "");
    let body = receiver.next().await.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["status", "response"]);
}
