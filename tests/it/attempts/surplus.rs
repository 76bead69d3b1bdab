//! How much a single leaked token can store, tested over a real socket.
use aftercall::config;
use bytesize::ByteSize;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::support::{
    app::{Submitted, TestApp},
    fixture,
};

/// Deliveries, bytes of bodies, events, and the job's version.
async fn stored(db: &PgPool) -> (i64, i64, i64, i32) {
    let query = "select (select count(*) from aftercall.deliveries),
        (select coalesce(sum(body_bytes) filter (where body is not null), 0)::bigint from aftercall.deliveries),
        (select count(*) from aftercall.job_events), version from aftercall.jobs";
    sqlx::query_as(query).fetch_one(db).await.unwrap()
}

/// Sends the bodies, ten at a time; each gets a 200.
async fn flood(app: &TestApp, job: &Submitted, bodies: impl Iterator<Item = String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{}", listener.local_addr().unwrap(), job.webhook);
    tokio::spawn(axum::serve(listener, app.webhook.clone()).into_future());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let statuses = stream::iter(bodies)
        .map(|body| http.post(&url).body(body).send())
        .buffer_unordered(10)
        .map(|answer| answer.unwrap().status().as_u16());
    assert!(statuses.all(async |status| status == 200).await);
}

#[tokio::test]
async fn after_the_end_deliveries_of_an_attempt_are_counted_and_not_kept() {
    let app = TestApp::start().await;
    let settings = config::load(None).unwrap().settings;
    let most = i64::from(settings.ingest.attempt_deliveries);
    let job = app.submitted().await;
    let success = fixture("seed/success.json");
    app.deliver(&job.webhook, success.clone()).await;
    let size = 10_000;
    // Superfluous successes, failures, unparsable bodies, and the same body again and again.
    let bodies = (0..400).map(|n| match n % 4 {
        0 => format!("{n:0size$}"),
        1 => format!(
            r#"{{"status":"Success","response":{{"utteranceInsights":[],"x":"{n:0size$}"}}}}"#
        ),
        2 => format!(r#"{{"status":"Fail","response":{{"x":"{n:0size$}"}}}}"#),
        _ => success.clone(),
    });
    flood(&app, &job, bodies).await;

    let (rows, bytes, events, version) = stored(&app.db.pool).await;
    assert_eq!(rows, 1 + most);
    assert!(bytes < 25_000 + most * 11_000, "{bytes} bytes");
    // The surplus has a single event, which says how many there are.
    assert_eq!((events, i64::from(version)), (4 + most + 1, 4 + most + 1));
    let page = app.get(&format!("/v1/jobs/{}/timeline?limit=200", job.id)).await.json();
    let told = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["detail"]["outcome"] == "surplus");
    let told = &told.unwrap()["detail"];
    assert_eq!((&told["deliveries"], &told["attempt"]), (&json!(400 - most), &json!(1)));
    assert!(told["bytes"].as_i64().unwrap() > 2_000_000);
    assert_eq!(told["lastSha256"].as_str().unwrap().len(), 64);
    assert_eq!(app.job(job.id).await["state"], "completed");
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    assert_eq!(result["utteranceInsights"][0]["start"], 2.52);
}

#[tokio::test]
async fn before_the_end_bytes_are_bounded_and_the_result_still_counts() {
    let app = TestApp::with(|settings| settings.ingest.attempt_bytes = ByteSize::kib(100)).await;
    let job = app.submitted().await;
    flood(&app, &job, (0..200).map(|n| format!("{n:030000}"))).await;
    let (rows, bytes, events, version) = stored(&app.db.pool).await;
    // Three bodies of 30,000 bytes; no further one fits the quota.
    assert_eq!((rows, bytes, events, version), (3, 90_000, 3 + 3 + 1, 3 + 3 + 1));
    assert_eq!(app.last_event(job.id).await["deliveries"], 197);
    assert_eq!(app.job(job.id).await["state"], "submitted");

    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    assert_eq!(app.job(job.id).await["state"], "completed");
    assert_eq!(stored(&app.db.pool).await.0, 4);
}

#[tokio::test]
async fn each_attempt_has_a_quota_of_its_own() {
    let app = TestApp::with(|settings| settings.ingest.attempt_deliveries = 2).await;
    let job = app.submitted().await;
    flood(&app, &job, (0..5).map(|n| format!("{{{n}"))).await;
    app.deliver(&job.webhook, fixture("seed/failure.json")).await;
    app.post(&format!("/v1/jobs/{}/retry", job.id), &json!({})).await;
    assert_eq!(app.dispatcher.drain().await, 1);
    let second = crate::support::app::webhook_of(&app.submissions().await[1]);
    for n in 0..3 {
        app.deliver(&second, format!("{{{n}")).await;
    }
    let outcomes = ["malformed", "malformed", "accepted", "malformed", "malformed"];
    assert_eq!(app.delivery_outcomes(job.id).await, outcomes);
    let surplus = "select array_agg(surplus order by number) from aftercall.attempts";
    let surplus: Vec<i64> = sqlx::query_scalar(surplus).fetch_one(&app.db.pool).await.unwrap();
    assert_eq!(surplus, [3, 1]);
}
