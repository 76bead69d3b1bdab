//! What is committed is counted once, and nothing else.
use aftercall::jobs::{self, JobId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::scrape::scraped;
use crate::support::{
    app::{RECORDING, TestApp},
    fixture,
};

const CREATED: &str = "aftercall_jobs_created_total";
const FINISHED: &str = "aftercall_jobs_finished_total";
const CALLBACKS: &str = "aftercall_callbacks_total";

fn finished<'a>(status: &'a str, class: &'a str, via: &'a str) -> [(&'a str, &'a str); 3] {
    [("status", status), ("error_class", class), ("completed_via", via)]
}

#[tokio::test]
async fn what_is_rolled_back_is_not_counted() {
    let app = TestApp::start().await;
    let id: JobId = app.submit().await.into();
    let caller = sqlx::query_scalar("select id from aftercall.callers");
    let caller: uuid::Uuid = caller.fetch_one(&app.db.pool).await.unwrap();
    let mut tx = app.announcer.begin(&app.db.pool).await.unwrap();
    assert_eq!(jobs::cancel(&mut tx, caller.into(), &[id]).await.unwrap(), [id]);
    drop(tx);
    let canceled = finished("canceled", "none", "none");
    assert_eq!(scraped(&app).await.get(FINISHED, &canceled), Some(0.0));
    let mut tx = app.announcer.begin(&app.db.pool).await.unwrap();
    assert_eq!(jobs::cancel(&mut tx, caller.into(), &[id]).await.unwrap(), [id]);
    tx.commit().await.unwrap();
    assert_eq!(scraped(&app).await.get(FINISHED, &canceled), Some(1.0));
}

#[tokio::test]
async fn a_batch_that_is_split_is_counted_once() {
    let app = TestApp::with(|settings| settings.ingest.writers = 1).await;
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(app.submitted().await);
    }
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'too much' using errcode = 'program_limit_exceeded'; end $$;
        create trigger refuse before insert on aftercall.results for each row
            when (new.job_id = '{}') execute function refuse()",
        all[3].id
    )))
    .execute(&app.db.pool)
    .await
    .unwrap();
    let body = fixture("seed/success.json");
    let delivered = all.iter().map(|job| app.deliver(&job.webhook, body.clone()));
    futures_util::future::join_all(delivered).await;
    let seen = scraped(&app).await;
    let callbacks = |outcome| seen.get(CALLBACKS, &[("outcome", outcome)]);
    assert_eq!(callbacks("accepted"), Some(5.0));
    assert_eq!(callbacks("malformed"), Some(1.0));
    assert_eq!(seen.sum(FINISHED, ("status", "completed")), Some(5.0));
    let total = [("stage", "total")];
    assert_eq!(seen.get("aftercall_job_duration_seconds_count", &total), Some(5.0));
    assert_eq!(seen.get("aftercall_callback_commit_seconds_count", &[]), Some(6.0));
    assert_eq!(seen.get("aftercall_callback_body_bytes_count", &[]), Some(6.0));
}

#[tokio::test]
async fn deliveries_and_ends_are_counted_by_what_they_were() {
    let app = TestApp::with(|settings| settings.ingest.attempt_deliveries = 2).await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/failure.json")).await;
    for _ in 0..4 {
        app.deliver(&job.webhook, "no JSON").await;
    }
    app.deliver(&format!("/webhooks/{}", "x".repeat(64)), "{}").await;
    let late = app.submit().await;
    app.pass_deadline(late).await;
    app.reconciler.round().await.unwrap();
    let other = app.submit().await;
    app.post(&format!("/v1/jobs/{other}/cancel"), &json!({})).await;

    let seen = scraped(&app).await;
    let callbacks = |outcome| seen.get(CALLBACKS, &[("outcome", outcome)]);
    assert_eq!(callbacks("accepted"), Some(1.0));
    assert_eq!(callbacks("malformed"), Some(1.0));
    assert_eq!(callbacks("duplicate"), Some(1.0));
    assert_eq!(callbacks("surplus"), Some(2.0));
    assert_eq!(callbacks("unknown_token"), Some(1.0));
    assert_eq!(seen.get(FINISHED, &finished("failed", "analysis", "none")), Some(1.0));
    assert_eq!(seen.get(FINISHED, &finished("timed_out", "timeout", "none")), Some(1.0));
    assert_eq!(seen.get(FINISHED, &finished("canceled", "none", "none")), Some(1.0));
    let all = seen.all(FINISHED).map(|series| series.value).reduce(|a, b| a + b);
    assert_eq!(all, Some(3.0));
    assert_eq!(seen.get(CREATED, &[("caller", "app")]), Some(3.0));
    let calls = "aftercall_upstream_requests_total";
    assert_eq!(seen.get(calls, &[("operation", "submit"), ("code", "202")]), Some(1.0));
    assert_eq!(seen.get(calls, &[("operation", "token"), ("code", "200")]), Some(1.0));
    let expiry = seen.get("aftercall_upstream_token_expiry_timestamp_seconds", &[]);
    assert!(expiry > Some(1.7e9), "{expiry:?}");
}

#[tokio::test]
async fn keys_of_repeated_requests_are_counted() {
    let app = TestApp::start().await;
    let body = json!({ "contentUri": RECORDING, "encoding": "Wav" });
    let other = json!({ "contentUri": RECORDING, "encoding": "Mpeg" });
    for body in [&body, &body, &other] {
        let request = app.request("POST", "/v1/jobs").header("idempotency-key", "k");
        app.send(request, body.to_string()).await;
    }
    let seen = scraped(&app).await;
    for outcome in ["new", "replayed", "reused"] {
        let count = seen.get("aftercall_idempotency_total", &[("outcome", outcome)]);
        assert_eq!(count, Some(1.0), "{outcome}");
    }
    assert_eq!(seen.get(CREATED, &[("caller", "app")]), Some(1.0));
}

#[tokio::test]
async fn a_result_that_only_a_poll_brings_is_counted_as_recovered() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.make_due(job.id).await;
    let answer = wiremock::ResponseTemplate::new(200)
        .set_body_raw(fixture("seed/success.json"), "application/json");
    app.answer_polls(answer).await;
    app.reconciler.round().await.unwrap();
    let seen = scraped(&app).await;
    assert_eq!(seen.get("aftercall_reconcile_recovered_total", &[]), Some(1.0));
    let polls = "aftercall_reconcile_polls_total";
    assert_eq!(seen.get(polls, &[("result", "finished")]), Some(1.0));
    assert_eq!(seen.get(FINISHED, &finished("completed", "none", "poll")), Some(1.0));
    assert_eq!(seen.sum(CALLBACKS, ("outcome", "accepted")), Some(0.0), "it was no callback");
}
