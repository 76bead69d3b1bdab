//! The sandbox's ledger.
use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use aftercall::sandbox::Sandbox;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::support::{Delivery, Receiver, Running, base64, bytes_of, settings};
use crate::support::{eventually, scratch::Scratch};

#[tokio::test]
async fn what_was_accepted_survives_a_restart_and_is_delivered() {
    let folder = Scratch::new();
    let mut slow = settings();
    slow.ledger = Some(folder.path().join("ledger.jsonl"));
    slow.latency = Duration::from_hours(1);
    let sandbox = Running::start(slow.clone()).await;
    let mut receiver = Receiver::start().await;
    let mut request = sandbox.sample();
    let content = bytes_of(&sandbox.url("/media/support-call.wav")).await;
    request["content"] = json!(base64(&content));
    request.as_object_mut().unwrap().remove("contentUri");
    let answer = sandbox.submit(&receiver.url(), request).await;
    let accepted: Value = answer.json().await.unwrap();
    let running = sandbox.status(accepted["jobId"].as_str().unwrap()).await;
    let running: Value = running.json().await.unwrap();
    assert_eq!(running["status"], "InProgress");
    assert_eq!((running.get("completionTime"), running.get("response")), (None, None));
    let second = Sandbox::bind(&slow).await;
    assert!(second.is_err(), "two sandboxes must not share a ledger");
    sandbox.stop().await;

    let mut fast = slow;
    fast.latency = Duration::ZERO;
    let sandbox = Running::start(fast.clone()).await;
    let delivery = receiver.next().await.json();
    assert_eq!((&delivery["jobId"], &delivery["status"]), (&accepted["jobId"], &json!("Success")));
    sandbox.stop().await;

    fast.retention = Duration::ZERO;
    let sandbox = Running::start(fast).await;
    let past = sandbox.status(accepted["jobId"].as_str().unwrap()).await;
    assert_eq!(past.status(), StatusCode::NOT_FOUND);
    sandbox.stop().await;
}

/// Entries of `kind`, oldest first.
fn entries(path: &PathBuf, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let entries = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.filter(|entry| entry["kind"] == kind).collect()
}

#[tokio::test]
async fn every_delivery_is_written_down_with_its_digest_and_its_answer() {
    let folder = Scratch::new();
    let path = folder.path().join("ledger.jsonl");
    let mut settings = settings();
    settings.ledger = Some(path.clone());
    let sandbox = Running::start(settings).await;
    let mut receiver = Receiver::answering(&[503, 200, 404]).await;
    let faults = "truncated,gzip,chunked,duplicate,bad-gateway";
    sandbox.submit_with_faults(&receiver.url(), faults).await.unwrap();
    let sent: Vec<Delivery> =
        vec![receiver.next().await, receiver.next().await, receiver.next().await];
    let answered = eventually("the last answer", async || {
        let answered = entries(&path, "delivery");
        (answered.len() == 3).then_some(answered)
    })
    .await;
    let answers: Vec<_> = answered.iter().map(|entry| &entry["delivery"]["answer"]).collect();
    assert_eq!(answers, [503, 200, 404]);
    let accepted = entries(&path, "accepted");
    assert_eq!(accepted[0]["faults"].as_array().unwrap().len(), 5);
    let sending = entries(&path, "sending");
    assert_eq!(sending.len(), 3);
    for (number, (entry, delivery)) in (1_u64..).zip(sending.iter().zip(&sent)) {
        assert_eq!(entry["jobId"], accepted[0]["jobId"]);
        let entry = &entry["sending"];
        assert_eq!(entry["number"], number);
        assert_eq!(entry["bytes"], delivery.body.len());
        assert_eq!(entry["sha256"], base64(&Sha256::digest(&delivery.body)));
    }
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_ledger_of_before_is_still_read() {
    let folder = Scratch::new();
    let path = folder.path().join("ledger.jsonl");
    let job = json!({
        "kind": "accepted", "jobId": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "created": "2026-01-05T00:00:00Z", "requestId": "r", "webhook": "http://127.0.0.1:9/",
        "request": { "contentUri": "http://127.0.0.1:9/a.wav" }, "faults": ["malformed", "late"],
    });
    let delivery = json!({
        "kind": "delivery", "jobId": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "delivery": { "at": "2026-01-05T00:00:00Z", "number": 6, "answer": null, "settled": true },
    });
    std::fs::write(&path, format!("{job}\n{delivery}\n")).unwrap();
    let mut settings = settings();
    settings.ledger = Some(path);
    settings.retention = Duration::from_hours(24 * 365 * 100);
    let sandbox = Running::start(settings).await;
    let known = sandbox.status("1b4e28ba-2fa1-11d2-883f-0016d3cca427").await;
    assert_eq!(known.status(), StatusCode::OK);
}
