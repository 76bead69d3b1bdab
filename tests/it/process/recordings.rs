//! From a recording to insights through the public API, with and without provider faults.
use serde_json::{Value, json};

use super::{Home, Service};
use crate::support::{db::TestDb, eventually};

/// Measured by sox 14.4.2, for channel c = 1 and 2 of src/sandbox/samples/support-call.wav:
///   sox support-call.wav c.wav remix c silence 1 0.02 0.5% -1 0.3 0.5%
///   soxi -D c.wav; sox c.wav -n stats     (RMS lev dB)
const SOX_TALK: [f64; 2] = [27.44, 14.97];
const SOX_LEVEL: [f64; 2] = [-21.16, -25.06];

fn number(speaker: &Value, name: &str) -> f64 {
    let insights = speaker["insights"].as_array().unwrap();
    insights.iter().find(|insight| insight["name"] == name).unwrap()["number"].as_f64().unwrap()
}

#[tokio::test]
async fn talk_and_energy_of_a_stereo_recording_are_those_that_sox_measures() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    let id = service.submit(json!({ "separateSpeakerPerChannel": true })).await;
    assert_eq!(service.finished(&id).await["state"], "completed");
    let speakers = service.get(&format!("/v1/jobs/{id}/speakers")).await;
    let talk_share = 100.0 * SOX_TALK[0] / (SOX_TALK[0] + SOX_TALK[1]);
    for (channel, share) in [talk_share, 100.0 - talk_share].into_iter().enumerate() {
        let speaker = &speakers["data"][channel];
        let ratio = number(speaker, "TalkToListenRatio");
        assert!((ratio - share).abs() <= 1.5, "{ratio} against {share}");
        // 0 to 100 for -60 dB to 0 dB; sox keeps short pauses that we leave out, so within 1.5 dB.
        let expected = 100.0 * (SOX_LEVEL[channel] + 60.0) / 60.0;
        let energy = number(speaker, "Energy");
        assert!((energy - expected).abs() < 2.5, "{energy} against {expected}");
    }
    service.stop().await.success();
}

/// Faults of the provider, the job's final state, and the only channel that can deliver it, if
/// there is one.
const ENDS: &[(&str, &str, Option<&str>)] = &[
    ("no-job-id", "completed", Some("webhook")),
    ("early", "completed", None),
    ("early,no-job-id", "completed", Some("webhook")),
    ("late", "completed", None),
    ("reordered", "completed", None),
    ("duplicate", "completed", None),
    ("wrong-types", "completed", None),
    ("large", "completed", None),
    ("gzip", "completed", None),
    ("chunked", "completed", None),
    ("gzip,chunked,duplicate", "completed", None),
    ("unauthorized", "completed", None),
    ("broken", "completed", None),
    ("throttled", "completed", None),
    ("slow", "completed", None),
    ("reset", "completed", Some("webhook")),
    ("bad-gateway", "completed", Some("webhook")),
    ("truncated", "completed", Some("poll")),
    ("truncated,duplicate,no-job-id", "completed", Some("webhook")),
    ("lost", "completed", Some("poll")),
    ("fail", "failed", None),
    ("fail,lost", "failed", None),
];

#[tokio::test]
async fn whatever_the_provider_does_a_job_ends_as_it_should() {
    let db = TestDb::new().await;
    let home = Home::on(&db)
        .set("AFTERCALL__RECONCILE__AFTER", "2s")
        .set("AFTERCALL__RECONCILE__INTERVAL", "100ms")
        .set("AFTERCALL__DISPATCH__BACKOFF", "200ms")
        .set("AFTERCALL__SANDBOX__RATE_PENALTY", "1s")
        .set("AFTERCALL__SANDBOX__SLOW_BY", "300ms")
        .set("AFTERCALL__SANDBOX__LATE_BY", "300ms");
    let service = Service::start(&home).await;
    let mut jobs = Vec::new();
    for (faults, state, via) in ENDS {
        let uri = format!("{}?sandbox-faults={faults}", service.recording);
        jobs.push((service.submit(json!({ "contentUri": uri })).await, faults, state, via));
    }
    for (id, faults, state, via) in jobs {
        let job = service.finished(&id).await;
        assert_eq!(job["state"], **state, "{faults}: {job:#}");
        if let Some(via) = via {
            assert_eq!(job["completedVia"], *via, "{faults}: {job:#}");
        }
        if *state == "failed" {
            assert_eq!(job["error"]["class"], "analysis", "{faults}: {job:#}");
            assert_eq!(job["error"]["code"], "CAI-101", "{faults}: {job:#}");
            continue;
        }
        let path = format!("/v1/jobs/{id}");
        let utterances = service.get(&format!("{path}/utterances")).await;
        let utterances = utterances["data"].as_array().unwrap();
        assert_eq!(utterances.len(), 18, "{faults}");
        assert!(utterances.iter().all(|it| it["speakerId"].is_string()), "{faults}");
        if faults.contains("duplicate") && !faults.contains("truncated") {
            let timeline = format!("{path}/timeline");
            eventually("a duplicate in the timeline", async || {
                let events = service.get(&timeline).await;
                let events = events["data"].as_array()?.clone();
                events.into_iter().find(|event| event["detail"]["outcome"] == "duplicate")
            })
            .await;
        }
    }
    service.stop().await.success();
}
