//! Views of what there is now, against the API and the tables.
use aftercall::reporting;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::rows;
use crate::support::{app::TestApp, fixture};

async fn row(app: &TestApp, query: &'static str) -> Value {
    let rows = rows(app, query).await;
    assert_eq!(rows.len(), 1, "{query}: {rows:?}");
    rows[0].clone()
}

#[tokio::test]
async fn views_of_an_empty_service_have_rows_for_alarms() {
    let app = TestApp::start().await;
    let queue = row(&app, "select to_jsonb(q) from reporting.queue_summary_v1 q").await;
    assert_eq!((&queue["queued"], &queue["eta_seconds"]), (&json!(0), &json!(0)));
    let gate = row(&app, "select to_jsonb(g) from reporting.provider_gate_v1 g").await;
    assert_eq!((&gate["calls_limit"], &gate["calls_free"]), (&json!(10), &json!(10)));
    let unfinished = "select to_jsonb(jobs) from reporting.unfinished_jobs_v1";
    assert_eq!(rows(&app, unfinished).await, [json!(0), json!(0), json!(0)]);
    let burn = "select to_jsonb(burn) from reporting.slo_v1";
    assert_eq!(rows(&app, burn).await, [json!(0), json!(0), json!(0), json!(0)]);
}

#[tokio::test]
async fn the_queue_is_the_one_that_callers_see() {
    let app = TestApp::with(|settings| settings.provider.gate.limit = 2).await;
    reporting::publish(
        &app.db.pool,
        &[("provider.gate.limit", Some(2.0)), ("provider.gate.window", Some(60.0))],
    )
    .await
    .unwrap();
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(app.submit().await);
    }
    assert_eq!(app.dispatcher.drain().await, 2);
    app.about(jobs[4], "update aftercall.jobs set deadline_at = now() where id = $1").await;
    let queue = "select to_jsonb(q) from reporting.queue_v1 q order by position";
    let queue = rows(&app, queue).await;
    assert_eq!(queue.len(), 3);
    for (job, row) in jobs[2..].iter().zip(&queue) {
        let said = &app.job(*job).await["queue"];
        assert_eq!(
            (row["job_id"].as_str().unwrap(), &row["position"]),
            (&*job.to_string(), &said["position"])
        );
        let at = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        let apart = (at(&row["eta_at"]) - at(&said["eta"])).abs();
        assert!(apart.num_seconds() < 30, "{row} {said}");
        assert_eq!(row["is_late"], *job == jobs[4], "{row}");
    }
    let whole = "select jsonb_build_array(queued, last_eta_at = (select max(eta_at) from reporting.queue_v1))
        from reporting.queue_summary_v1";
    assert_eq!(row(&app, whole).await, json!([3, true]));
    let gate = row(&app, "select to_jsonb(g) from reporting.provider_gate_v1 g").await;
    assert_eq!((&gate["submissions_used"], &gate["used_share"]), (&json!(2), &json!(1)));
    let caller = row(&app, "select to_jsonb(c) from reporting.callers_v1 c").await;
    let expected = json!({ "queued": 3, "created_24h": 5, "submissions_24h": 2, "gate_share_24h": 1, "active_keys": 1 });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&caller[name], value, "{name}");
    }
}

#[tokio::test]
async fn rows_of_jobs_attempts_and_deliveries_say_what_became_of_them() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    assert_eq!(app.deliver(&job.webhook, "{").await.status, 200);
    let set_aside = "select to_jsonb(d) from reporting.deliveries_v1 d where is_quarantined";
    let set_aside = row(&app, set_aside).await;
    assert_eq!((&set_aside["outcome"], &set_aside["bytes"]), (&json!("malformed"), &json!(1)));
    let body = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    assert_eq!(app.deliver(&job.webhook, body).await.status, 200);
    let job = row(&app, "select to_jsonb(j) from reporting.jobs_v1 j").await;
    assert_eq!(job["state"], "completed");
    assert_eq!((&job["completed_via"], &job["attempts"]), (&json!("webhook"), &json!(1)));
    let parts = ["queued_ms", "submitting_ms", "upstream_ms", "commit_ms"];
    let sum: i64 = parts.iter().map(|part| job[*part].as_i64().unwrap()).sum();
    assert_eq!(job["total_ms"], sum, "{job}");
    let attempt = row(&app, "select to_jsonb(a) from reporting.attempts_v1 a").await;
    assert_eq!((&attempt["outcome"], &attempt["caller"]), (&json!("accepted"), &json!("app")));
    let slo = "select to_jsonb(s) from reporting.slo_v1 s where window_name = '1h'";
    let slo = row(&app, slo).await;
    assert_eq!((&slo["good"], &slo["success_ratio"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn storage_says_what_goes_when() {
    let app = TestApp::start().await;
    reporting::publish(&app.db.pool, &[("retention.deliveries", Some(86400.0 * 30.0))])
        .await
        .unwrap();
    let partitions = "select jsonb_build_array(kind, kept_seconds, next_drop_at = (date_trunc('month', now(), 'UTC')
                + interval '1 month' + interval '30 days'), bytes >= data_bytes + index_bytes)
        from reporting.storage_v1
        where table_name = 'deliveries' and month = date_trunc('month', now() at time zone 'UTC')::date";
    assert_eq!(row(&app, partitions).await, json!(["deliveries", 2_592_000, true, true]));
    let kept = "select jsonb_build_array(kind, next_drop_at) from reporting.storage_v1 where table_name = 'jobs'";
    assert_eq!(row(&app, kept).await, json!(["jobs", null]));
}
