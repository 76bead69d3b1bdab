//! Order of submissions: one dispatcher per job, and callers take turns.
use std::collections::HashSet;

use aftercall::callers::{self, KeyTerms};
use axum::http::header;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::app::{TestApp, webhook_of};

#[tokio::test]
async fn two_dispatchers_never_share_a_job() {
    let app = TestApp::start().await;
    for _ in 0..20 {
        app.submit().await;
    }
    let other = app.dispatcher.clone();
    let (mine, others) = tokio::join!(app.dispatcher.drain(), other.drain());
    assert_eq!(mine + others, 20);
    let sent = app.submissions().await;
    let webhooks: HashSet<_> = sent.iter().map(webhook_of).collect();
    assert_eq!((sent.len(), webhooks.len()), (20, 20));
    assert_eq!(app.count("select count(distinct job_id) from aftercall.attempts").await, 20);
    assert_eq!(app.count("select count(*) from aftercall.attempts").await, 20);
}

/// Queues five jobs of one caller before two of another; returns the order in which they are sent.
async fn order_of_callers(concurrency: usize) -> String {
    let app = TestApp::with(|settings| settings.dispatch.concurrency = concurrency).await;
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    let keys = [(app.key.clone(), "a", 5), (other.text.expose_secret().to_owned(), "b", 2)];
    for (key, name, jobs) in keys {
        for _ in 0..jobs {
            let body = json!({ "contentUri": "https://media.example/", "encoding": "Wav", "source": name });
            let mut request = app.request("POST", "/v1/jobs");
            let bearer = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().unwrap().insert(header::AUTHORIZATION, bearer);
            assert_eq!(app.send(request, body.to_string()).await.status, 202);
        }
    }
    assert_eq!(app.dispatcher.drain().await, 7);
    let sent = app.submissions().await;
    let sources =
        sent.iter().map(|request| request.body_json::<Value>().unwrap()["source"].clone());
    sources.map(|source| source.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn callers_take_turns() {
    assert_eq!(order_of_callers(1).await, "ababaaa");
}

#[tokio::test]
async fn callers_take_turns_within_a_batch() {
    let order = order_of_callers(4).await;
    assert_eq!(order[..4].matches('b').count(), 2, "{order}");
}

#[tokio::test]
async fn no_more_jobs_are_claimed_than_calls_are_granted() {
    let app = TestApp::with(|settings| settings.provider.gate.limit = 3).await;
    for _ in 0..5 {
        app.submit().await;
    }
    assert_eq!(app.dispatcher.drain().await, 3);
    assert_eq!(app.submissions().await.len(), 3);
    assert_eq!(app.count("select count(*) from aftercall.jobs where state = 'queued'").await, 2);
}
