//! What callers see of their notifications, and how they have messages sent again.
use serde_json::{Value, json};

use super::{endpoint, managing, pass_waits, receiver::Receiver};
use crate::support::app::TestApp;

const EVENTS: &[&str] = &["job.submitted", "job.canceled"];

#[tokio::test]
async fn a_notification_shows_every_attempt() {
    let app = managing(|_| {}).await;
    let receiver = Receiver::start().await;
    let (endpoint_id, _) = endpoint(&app, &receiver.url(), EVENTS).await;
    receiver.answers(&[(500, None)]);
    let id = app.submitted().await.id;
    for _ in 0..2 {
        app.deliverer().drain().await;
        pass_waits(&app).await;
    }
    let page = app.get(&format!("/v1/jobs/{id}/notifications")).await.json();
    let shown = &page["data"][0];
    assert_eq!(shown["type"], "job.submitted");
    assert_eq!(shown["state"], "delivered");
    assert_eq!(shown["jobId"], json!(id));
    assert_eq!(shown["endpointId"], json!(endpoint_id));
    assert_eq!(shown["webhookId"], receiver.got()[0].id());
    assert_eq!(shown["attemptCount"], 2);
    let attempts = shown["attempts"].as_array().unwrap();
    let statuses: Vec<_> = attempts.iter().map(|it| it["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [500, 200]);
    assert!(attempts.iter().all(|it| it["response"] == "thanks" && it["latencyMs"].is_u64()));

    let messages = app.get(&format!("/v1/endpoints/{endpoint_id}/messages")).await.json();
    assert_eq!(messages["data"], page["data"]);
    let none = format!("/v1/endpoints/{endpoint_id}/messages?state=pending&type=job.submitted");
    assert_eq!(app.get(&none).await.json()["data"], json!([]));
    let foreign = format!("/v1/endpoints/{}/messages", uuid::Uuid::now_v7());
    app.get(&foreign).await.problem(404, "endpoint-not-found");
}

#[tokio::test]
async fn messages_come_in_pages_newest_first() {
    let app = managing(|_| {}).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), EVENTS).await;
    for _ in 0..5 {
        app.submitted().await;
    }
    let mut ids: Vec<String> = Vec::new();
    let mut path = format!("/v1/endpoints/{id}/messages?limit=2&type=job.submitted");
    loop {
        let page = app.get(&path).await.json();
        let data = page["data"].as_array().unwrap();
        ids.extend(data.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/endpoints/{id}/messages?limit=2&type=job.submitted&cursor={cursor}");
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    let other = path.replace("type=job.submitted", "type=job.canceled");
    app.get(&other).await.problem(400, "cursor-mismatch");
}

async fn post(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = app.post(path, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn what_an_endpoint_missed_is_recovered_in_order_with_the_same_ids() {
    let app = managing(|_| {}).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), EVENTS).await;
    let path = format!("/v1/endpoints/{id}");
    assert_eq!(app.post(&format!("{path}/pause"), &json!(null)).await.status, 200);
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let job = app.submitted().await.id;
        app.ask(app.request("POST", &format!("/v1/jobs/{job}/cancel"))).await;
        jobs.push(job);
    }
    let deliverer = app.deliverer();
    assert_eq!(deliverer.drain().await, 0);
    let since = json!({ "since": "2026-01-01T00:00:00Z" });
    let refused = app.post(&format!("{path}/recover"), &since).await.problem(409, "state-conflict");
    assert!(refused["detail"].as_str().unwrap().contains("resume it first"), "{refused}");
    assert_eq!(app.ask(app.request("POST", &format!("{path}/resume"))).await.status, 200);
    assert_eq!(deliverer.drain().await, 0, "nothing is sent on its own");

    let counted = post(&app, &format!("{path}/recover?dryRun=true"), &since).await;
    assert_eq!(counted, json!({ "messages": 6, "hasMore": false, "dryRun": true }));
    assert_eq!(deliverer.drain().await, 0);
    let late = json!({ "since": "2999-01-01T00:00:00Z" });
    assert_eq!(post(&app, &format!("{path}/recover"), &late).await["messages"], 0);
    let done = post(&app, &format!("{path}/recover"), &since).await;
    assert_eq!(done, json!({ "messages": 6, "hasMore": false, "dryRun": false }));
    assert_eq!(deliverer.drain().await, 6);
    for job in jobs {
        let about = |it: &super::receiver::Got| it.json()["data"]["jobId"] == json!(job);
        let kinds: Vec<String> =
            receiver.got().iter().filter(|it| about(it)).map(super::receiver::Got::kind).collect();
        assert_eq!(kinds, EVENTS);
    }
    assert_eq!(post(&app, &format!("{path}/recover"), &since).await["messages"], 0);
}

#[tokio::test]
async fn a_replay_has_another_id_and_its_own_history() {
    let app = managing(|it| it.notify.replay_max = 2).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), EVENTS).await;
    for _ in 0..3 {
        app.submitted().await;
    }
    let deliverer = app.deliverer();
    assert_eq!(deliverer.drain().await, 3);
    let messages = app.get(&format!("/v1/endpoints/{id}/messages")).await.json();
    let first = messages["data"][2]["id"].as_str().unwrap();
    let made = post(&app, &format!("/v1/notifications/{first}/replay"), &json!(null)).await;
    assert_eq!(made["replayOf"], first);
    assert_eq!(made["state"], "pending");
    assert_eq!(deliverer.drain().await, 1);
    let got = receiver.got();
    assert_eq!(got[3].body, got[0].body);
    assert_eq!(got[3].id(), made["webhookId"]);
    assert!(got[3].id().starts_with(got[0].id()) && got[3].id() != got[0].id(), "{got:?}");

    let all = format!("/v1/endpoints/{id}/replay");
    let filter = json!({ "type": ["job.submitted"], "state": ["delivered"] });
    let counted = post(&app, &format!("{all}?dryRun=true"), &filter).await;
    assert_eq!(counted, json!({ "messages": 2, "hasMore": true, "dryRun": true }));
    assert_eq!(post(&app, &all, &filter).await["messages"], 2);
    // As many as there may be.
    app.post(&all, &filter).await.problem(429, "caller-limit");
    app.post(&format!("/v1/notifications/{first}/replay"), &json!(null))
        .await
        .problem(429, "caller-limit");
    assert_eq!(deliverer.drain().await, 2);
    let unknown = format!("/v1/notifications/{}/replay", uuid::Uuid::now_v7());
    app.post(&unknown, &json!(null)).await.problem(404, "notification-not-found");
}

#[tokio::test]
async fn a_job_names_who_is_told() {
    let app = managing(|_| {}).await;
    let [one, two, own] =
        [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    let (first, secret) = endpoint(&app, &one.url(), EVENTS).await;
    let job = |notify: Value| json!({ "contentUri": "https://media.example/1.wav", "encoding": "Wav", "notify": notify });
    let lonely = job(json!({ "url": own.url() }));
    app.post("/v1/jobs", &lonely).await;
    endpoint(&app, &two.url(), EVENTS).await;
    let missing = app.post("/v1/jobs", &lonely).await.problem(422, "validation-failed");
    assert_eq!(missing["errors"][0]["pointer"], "#/notify/endpoint");
    app.post("/v1/jobs", &job(json!({ "endpoint": first }))).await;
    app.post("/v1/jobs", &job(json!({ "silent": true }))).await;
    app.post("/v1/jobs", &job(Value::Null)).await;
    assert_eq!(app.dispatcher.drain().await, 4);
    app.deliverer().drain().await;
    assert_eq!([own.got().len(), one.got().len(), two.got().len()], [1, 2, 1]);
    let verifier =
        standardwebhooks::Webhook::new(secrecy::ExposeSecret::expose_secret(&secret.reveal()));
    verifier.unwrap().verify(&own.got()[0].body, &own.got()[0].headers).unwrap();

    let bad = job(json!({ "endpoint": uuid::Uuid::now_v7(), "url": "http://169.254.169.254/" }));
    let faults = app.post("/v1/jobs", &bad).await.problem(422, "validation-failed");
    let codes: Vec<_> =
        faults["errors"].as_array().unwrap().iter().map(|it| it["code"].clone()).collect();
    assert_eq!(codes, ["not-found", "address-refused"]);
    assert!(!faults.to_string().contains("hush"));
}

#[tokio::test]
async fn a_jobs_own_url_is_sealed_and_its_failures_are_its_own() {
    let app = managing(|_| {}).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), EVENTS).await;
    let gone = Receiver::start().await;
    gone.answers(&[(410, None)]);
    let body = json!({
        "contentUri": "https://media.example/1.wav", "encoding": "Wav", "notify": { "url": gone.url() },
    });
    let job = app.post("/v1/jobs", &body).await.id();
    app.dispatcher.drain().await;
    app.deliverer().drain().await;
    let shown = app.get(&format!("/v1/jobs/{job}/notifications")).await.json();
    assert_eq!(shown["data"][0]["state"], "exhausted");
    assert_eq!(shown["data"][0]["toJobUrl"], true);
    let stored: (String, bool) = sqlx::query_as(
        "select notify::text, position('hush'::bytea in notify_url) > 0 from aftercall.jobs",
    )
    .fetch_one(&app.db.pool)
    .await
    .unwrap();
    assert!(!stored.0.contains("hush") && !stored.1, "{stored:?}");
    let masked = gone.url().replace("hush", "***");
    assert_eq!(app.job(job).await["notify"], json!({ "endpoint": id, "url": masked }));
    let endpoint = app.get(&format!("/v1/endpoints/{id}")).await.json();
    assert_eq!((&endpoint["state"], &endpoint["failures"]), (&json!("active"), &json!(0)));
}

#[tokio::test]
async fn a_batch_names_who_is_told_item_by_item() {
    let app = managing(|_| {}).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), EVENTS).await;
    let item = |notify: Value| json!({ "contentUri": "https://media.example/1.wav", "encoding": "Wav", "notify": notify });
    let jobs = [
        item(json!({ "endpoint": id })),
        item(json!({ "silent": true })),
        item(json!({ "endpoint": uuid::Uuid::now_v7() })),
    ];
    let request = app.request("POST", "/v1/jobs/batch").header("idempotency-key", "a");
    let answer = app.send(request, json!({ "jobs": jobs }).to_string()).await.json();
    let statuses: Vec<_> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [202, 202, 422]);
    let list = app.get("/v1/jobs").await.json();
    assert_eq!(list["data"][0]["notify"], json!({ "silent": true }));
    assert_eq!(list["data"][1]["notify"], json!({ "endpoint": id }));
    app.dispatcher.drain().await;
    assert_eq!(app.deliverer().drain().await, 1);
}
