//! Sums by the hour against the rows that they count.
use aftercall::{deliveries::Quota, outcome, reporting, stats};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::rows;
use crate::support::{
    app::{TestApp, seal},
    arrival::arrival,
    fixture,
};

/// Adds what the sums lack, and takes away what they have too much of: nothing, if they are exact.
const RECOUNT: &str = include_str!("../../../migrations/0021_hourly_backfill.sql");

pub async fn assert_exact(db: &PgPool) {
    let mut tx = db.begin().await.unwrap();
    let done = sqlx::raw_sql(RECOUNT).execute(&mut *tx).await.unwrap();
    let query = "select to_jsonb(c) from aftercall.hour_changes c order by id desc limit 5";
    let wrong: Vec<Value> = sqlx::query_scalar(query).fetch_all(&mut *tx).await.unwrap();
    assert_eq!(done.rows_affected(), 0, "miscounted: {wrong:#?}");
}

/// One job of each fate.
async fn fates() -> TestApp {
    let app = TestApp::start().await;
    let completed = app.submitted().await;
    let body = fixture("delivery-2023.json").replace("@jobId", &completed.provider_job_id);
    for _ in 0..2 {
        assert_eq!(app.deliver(&completed.webhook, body.clone()).await.status, 200);
    }
    let failed = app.submitted().await;
    let errors = json!([{ "errorCode": "CAI-117", "message": "no" }]);
    let fail = json!({ "status": "Fail", "response": { "errors": errors } });
    assert_eq!(app.deliver(&failed.webhook, fail.to_string()).await.status, 200);
    let canceled = app.submit().await;
    assert_eq!(app.post(&format!("/v1/jobs/{canceled}/cancel"), &json!({})).await.status, 200);
    let late = app.submitted().await;
    app.pass_deadline(late.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(late.id).await["state"], "timed_out");
    app.submit().await;
    app
}

#[tokio::test]
async fn what_happened_is_counted_by_the_hour() {
    let app = fates().await;
    let sums = "select to_jsonb(sums) from (
        select sum(created) as created, sum(completed_webhook) as completed_webhook, sum(completed) as completed,
            sum(failed) as failed, sum(timed_out) as timed_out, sum(canceled) as canceled, sum(finished) as finished,
            sum(queued_ms + submitting_ms + upstream_ms + commit_ms) = sum(total_ms) as adds_up
        from reporting.job_hourly_v1 where caller = 'app') sums";
    let expected = json!({ "created": 5, "completed_webhook": 1, "completed": 1, "failed": 1, "timed_out": 1,
        "canceled": 1, "finished": 4, "adds_up": true });
    let failures = "select to_jsonb(f) - 'hour' - 'total_ms' from reporting.job_failure_hourly_v1 f order by state";
    let fail = |state: &str, class: &str, code: &str| json!({ "caller": "app", "state": state, "error_class": class, "error_code": code, "jobs": 1 });
    let attempts = "select to_jsonb(a) - 'hour' - 'response_ms' from reporting.attempt_hourly_v1 a";
    let deliveries =
        "select to_jsonb(d) - 'hour' - 'bytes' - 'commit_ms' from reporting.delivery_hourly_v1 d
        where bytes > 0 order by outcome";
    for is_merged in [false, true] {
        assert_exact(&app.db.pool).await;
        assert_eq!(rows(&app, sums).await[0], expected, "merged: {is_merged}");
        let failures = rows(&app, failures).await;
        assert_eq!(
            failures,
            [fail("failed", "analysis", "CAI-117"), fail("timed_out", "timeout", "")]
        );
        let attempts = rows(&app, attempts).await;
        assert_eq!(attempts, [json!({ "caller": "app", "outcome": "accepted", "attempts": 3 })]);
        let received = |outcome: &str, deliveries: i64| json!({ "via": "webhook", "outcome": outcome, "deliveries": deliveries });
        let deliveries = rows(&app, deliveries).await;
        assert_eq!(deliveries, [received("accepted", 2), received("duplicate", 1)]);
        while reporting::merge(&app.db.pool, 2).await.unwrap() > 0 {}
    }
}

#[tokio::test]
async fn an_end_that_was_not_the_last_one_is_taken_back() {
    let app = fates().await;
    while reporting::merge(&app.db.pool, 100).await.unwrap() > 0 {}
    for state in ["failed", "timed_out"] {
        let page = app.get(&format!("/v1/jobs?status={state}")).await.json();
        let id = page["data"][0]["id"].as_str().unwrap();
        assert_eq!(app.post(&format!("/v1/jobs/{id}/retry"), &json!({})).await.status, 202);
    }
    assert_exact(&app.db.pool).await;
    let ended = "select to_jsonb(array[sum(failed), sum(timed_out), sum(created)])
        from reporting.job_hourly_v1";
    assert_eq!(rows(&app, ended).await, [json!([0, 0, 5])]);
    assert!(
        rows(&app, "select to_jsonb(f) from reporting.job_failure_hourly_v1 f").await.is_empty()
    );
}

#[tokio::test]
async fn jobs_that_end_together_are_counted_each() {
    let app = TestApp::start().await;
    let (completed, failed, late) =
        (app.submitted().await, app.submitted().await, app.submitted().await);
    app.pass_deadline(late.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(late.id).await["state"], "timed_out");
    let failure = json!({ "status": "Fail", "response": { "errors": [{ "errorCode": "CAI-117", "message": "no" }] } });
    let batch = [
        arrival(failed.id, failure.to_string()),
        arrival(completed.id, fixture("seed/success.json")),
        arrival(late.id, fixture("seed/success.json")),
    ];
    let mut tx = app.announcer.begin(&app.db.pool).await.unwrap();
    outcome::apply(&mut tx, &seal(), &batch, Quota::UNLIMITED).await.unwrap();
    tx.commit().await.unwrap();
    assert_exact(&app.db.pool).await;
    let ended = "select to_jsonb(array[sum(completed), sum(failed), sum(timed_out)])
        from reporting.job_hourly_v1";
    assert_eq!(rows(&app, ended).await, [json!([2, 1, 0])]);
}

/// As processes of the last version do while they are replaced.
#[tokio::test]
async fn a_completion_that_does_not_count_itself_is_counted() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.about(
        job.id,
        "update aftercall.jobs set state = 'completed', completed_via = 'webhook', due_at = null,
            finished_at = now(), result_received_at = now() where id = $1",
    )
    .await;
    assert_exact(&app.db.pool).await;
    assert_eq!(stats::merge(&app.db.pool, 10).await.unwrap().taken, 1);
    let ended = "select to_jsonb(sum(completed)) from reporting.job_hourly_v1";
    assert_eq!(rows(&app, ended).await, [json!(1)]);
}

#[tokio::test]
async fn sums_outlive_the_jobs() {
    let app = fates().await;
    let sums = "select to_jsonb(array[sum(created), sum(finished)]) from reporting.job_hourly_v1";
    let before = rows(&app, sums).await;
    sqlx::query("delete from aftercall.jobs").execute(&app.db.pool).await.unwrap();
    assert_eq!(rows(&app, sums).await, before);
}

#[tokio::test]
async fn jobs_loaded_by_copy_are_counted() {
    let app = TestApp::start().await;
    let load = "insert into aftercall.jobs (id, caller_id, request, state, completed_via, error, due_at, deadline_at,
            created_at, finished_at)
        select gen_random_uuid(), c.id, '{}', state, via, error::json, null, now(), now() - interval '2 days',
            now() - interval '1 day'
        from aftercall.callers c, (values ('completed', 'poll', null),
            ('failed', null, '{\"class\": \"validation\", \"code\": \"CAI-101\"}')) as j (state, via, error)";
    sqlx::query(load).execute(&app.db.pool).await.unwrap();
    assert_exact(&app.db.pool).await;
    let sums = "select to_jsonb(array[sum(created), sum(completed_poll), sum(failed)])
        from reporting.job_hourly_v1";
    assert_eq!(rows(&app, sums).await, [json!([2, 1, 1])]);
}
