//! Secrets of endpoints: own ones, rotations, and what the database holds of them.
use aftercall::{
    endpoints,
    rotation::{Rotated, Rotation},
    seal::{Keys, Seal},
};
use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{ENDPOINTS, Stand, content_receiver, verifies};
use crate::support::app::SEAL_KEY;

const OWN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn while_rotating_both_secrets_sign_and_then_the_new_one_does() {
    let stand = Stand::start().await;
    let (url, mut arrivals) = content_receiver().await;
    let (path, first) = stand.endpoint(&url).await;
    let rotated = stand.post(&format!("{path}/rotate")).await;
    assert_eq!(rotated.status, StatusCode::OK);
    assert_eq!(rotated.header("cache-control"), "private, no-store");
    let second = rotated.json()["secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert!(rotated.json()["rotatingUntil"].is_string());
    stand.post(&format!("{path}/test")).await;
    let arrived = arrivals.recv().await.unwrap();
    assert!(verifies(&first, &arrived) && verifies(&second, &arrived));
    // The overlap passes.
    stand.set("update aftercall.endpoints set previous_secret_until = now()").await;
    assert_eq!(stand.get(&path).await.json()["rotatingUntil"], Value::Null);
    stand.post(&format!("{path}/test")).await;
    let arrived = arrivals.recv().await.unwrap();
    assert!(!verifies(&first, &arrived) && verifies(&second, &arrived));
}

#[tokio::test]
async fn at_most_two_secrets_sign_and_a_leaked_one_can_be_cut_off_at_once() {
    let stand = Stand::start().await;
    let (url, mut arrivals) = content_receiver().await;
    let (path, first) = stand.endpoint(&url).await;
    let rotate = format!("{path}/rotate");
    let mut secrets = vec![first];
    for body in [json!({}), json!({ "secret": OWN }), json!({ "keepPrevious": false })] {
        let rotated = stand.send("POST", &rotate, &body).await.json();
        secrets.push(rotated["secret"].as_str().unwrap().to_owned());
        stand.post(&format!("{path}/test")).await;
        let arrived = arrivals.recv().await.unwrap();
        let valid = secrets.iter().rev().take_while(|secret| verifies(secret, &arrived)).count();
        let expected = if body == json!({ "keepPrevious": false }) { 1 } else { 2 };
        assert_eq!(valid, expected, "{body}");
        let others = secrets.iter().rev().skip(expected);
        assert!(others.into_iter().all(|secret| !verifies(secret, &arrived)), "{body}");
    }
    assert_eq!(secrets[2], OWN);
    for (body, fault) in [
        (json!({ "secret": "hush" }), "#/secret format"),
        (json!({ "secret": 7 }), "#/secret type"),
        (json!({ "keepPrevious": "no" }), "#/keepPrevious type"),
        (json!({ "overlap": "1h" }), "#/overlap unknown"),
    ] {
        assert_eq!(stand.send("POST", &rotate, &body).await.faults(), [fault], "{body}");
    }
}

#[tokio::test]
async fn a_caller_brings_its_own_secret() {
    let stand = Stand::start().await;
    let (url, mut arrivals) = content_receiver().await;
    let body = json!({ "url": url, "secret": OWN });
    let created = stand.send("POST", ENDPOINTS, &body).await;
    assert_eq!(created.json()["secret"], OWN);
    stand.post(&format!("{}/test", created.header("location"))).await;
    assert!(verifies(OWN, &arrivals.recv().await.unwrap()));
}

#[tokio::test]
async fn a_secret_moved_to_another_row_does_not_open() {
    let stand = Stand::start().await;
    let (url, mut arrivals) = content_receiver().await;
    let (one, _) = stand.endpoint(&url).await;
    let (other, _) = stand.endpoint(&url).await;
    stand
        .set("update aftercall.endpoints a set secret = b.secret from aftercall.endpoints b where a.id <> b.id")
        .await;
    for path in [one, other] {
        let answer = stand.post(&format!("{path}/test")).await;
        let problem = answer.problem(500, "internal");
        assert_eq!(problem.get("detail"), None);
    }
    arrivals.try_recv().unwrap_err();
}

#[tokio::test]
async fn secrets_that_no_longer_sign_are_forgotten() {
    let stand = Stand::start().await;
    let (path, _) = stand.endpoint("https://203.0.113.9/").await;
    stand.post(&format!("{path}/rotate")).await;
    let tidy = async || endpoints::forget_secrets(&stand.app.db.runtime).await.unwrap();
    assert_eq!(tidy().await, 0);
    stand.set("update aftercall.endpoints set previous_secret_until = now()").await;
    assert_eq!(tidy().await, 1);
    let left = "select count(*) from aftercall.endpoints where previous_secret is not null";
    assert_eq!(stand.app.count(left).await, 0);
}

#[tokio::test]
async fn sealed_values_move_to_a_new_key() {
    let stand = Stand::start().await;
    let (url, mut arrivals) = content_receiver().await;
    let (path, first) = stand.endpoint(&url).await;
    stand.post(&format!("{path}/rotate")).await;
    let db = stand.app.db.runtime.clone();
    let new = Keys::new_line("new").unwrap();
    let both = Seal::new(Keys::parse(&format!("{}\n{SEAL_KEY}", *new)).unwrap());
    let mut moved = Vec::new();
    let rotation = Rotation { db: db.clone(), seal: both };
    let note = |it: Rotated| moved.push((it.column.table, it.column.name, it.rows));
    rotation.rotate(note).await.unwrap();
    moved.retain(|(table, ..)| *table == "endpoints");
    let expected = ["url_sealed", "secret", "previous_secret"].map(|name| ("endpoints", name, 1));
    assert_eq!(moved, expected);
    let alone = Seal::new(Keys::parse(&new).unwrap());
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    let opened = endpoints::targets(&db, &alone, &[id]).await.unwrap().remove(&id).unwrap();
    let target = opened.unwrap().target;
    assert_eq!((target.url.as_str(), target.secrets.len()), (url.as_str(), 2));
    assert_eq!(target.secrets[1].reveal().expose_secret(), first);
    arrivals.try_recv().unwrap_err();
}
