//! The sampled state of the service, and where the time of a job went.
use aftercall::{
    config::AccountGate,
    provider::Account,
    samples::{self, Samples},
};
use futures_util::future::join_all;

use crate::support::app::TestApp;

const ACCOUNT: (&str, &str) = ("account", "default");

fn gates(app: &TestApp) -> Vec<AccountGate> {
    Account::gates(&app.dispatcher.accounts)
}

/// A sample that is taken now, whenever the last one was.
async fn sampled(app: &TestApp) -> Samples {
    let forget = "update aftercall.service_samples set taken_at = now() - interval '15 seconds'
        where taken_at > 'epoch'";
    sqlx::query(forget).execute(&app.db.pool).await.unwrap();
    assert!(samples::take(&app.db.pool, &gates(app)).await.unwrap());
    samples::latest(&app.db.pool).await.unwrap().unwrap()
}

#[tokio::test]
async fn replicas_sample_once_in_15_seconds_between_them() {
    let app = TestApp::start().await;
    assert_eq!(samples::latest(&app.db.pool).await.unwrap(), None);
    let gates = gates(&app);
    for _ in 0..3 {
        let replicas = (0..4).map(|_| samples::take(&app.db.pool, &gates));
        let taken = join_all(replicas).await.into_iter().filter(|taken| *taken.as_ref().unwrap());
        assert_eq!(taken.count(), 1);
        assert!(!samples::take(&app.db.pool, &gates).await.unwrap(), "it was taken just now");
        let later = "update aftercall.service_samples set taken_at = taken_at - interval '14.1 s'";
        sqlx::query(later).execute(&app.db.pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_sample_tells_what_waits_and_for_how_long() {
    let app = TestApp::with(|settings| settings.provider.gate.limit = 10).await;
    let values = sampled(&app).await.values;
    for state in ["queued", "submitting", "submitted"] {
        assert_eq!(values.get("aftercall_jobs", &[("status", state)]), Some(0.0));
    }
    assert_eq!(values.get("aftercall_next_deadline_seconds", &[]), None);
    assert_eq!(values.get("aftercall_queue_eta_seconds", &[]), Some(0.0));
    assert_eq!(values.get("aftercall_last_webhook_timestamp_seconds", &[]), Some(0.0));

    let job = app.submitted().await;
    app.deliver(&job.webhook, "no JSON").await;
    for _ in 0..29 {
        app.submit().await;
    }
    let old = app.submit().await;
    app.about(
        old,
        "update aftercall.jobs set created_at = now() - interval '1 hour',
            deadline_at = now() + interval '90 s' where id = $1",
    )
    .await;
    let Samples { taken_at, values } = sampled(&app).await;
    let get = |name: &str, labels: &[(&str, &str)]| values.get(name, labels).unwrap();
    assert_eq!(values.get("aftercall_jobs", &[("status", "queued")]), Some(30.0));
    assert_eq!(values.get("aftercall_jobs", &[("status", "submitted")]), Some(1.0));
    let oldest = get("aftercall_oldest_unfinished_job_seconds", &[("status", "queued")]);
    assert!((3600.0..3700.0).contains(&oldest), "{oldest}");
    assert_eq!(values.get("aftercall_jobs_due_within_hour", &[]), Some(1.0));
    let deadline = get("aftercall_next_deadline_seconds", &[]);
    assert!((1.0..=90.0).contains(&deadline), "{deadline}");
    // Nine of ten calls are left; the other 21 go at one every six seconds.
    assert_eq!(
        values.get("aftercall_upstream_rate_limit", &[ACCOUNT, ("group", "heavy")]),
        Some(10.0)
    );
    assert_eq!(
        values.get("aftercall_upstream_rate_remaining", &[ACCOUNT, ("group", "heavy")]),
        Some(9.0)
    );
    assert_eq!(values.get("aftercall_queue_eta_seconds", &[]), Some(126.0));
    assert_eq!(values.get("aftercall_queue_late_jobs", &[]), Some(1.0));
    assert_eq!(values.get("aftercall_quarantined", &[]), Some(1.0));
    let webhook = get("aftercall_last_webhook_timestamp_seconds", &[]);
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let age = taken_at.timestamp_micros() as f64 / 1e6 - webhook;
    assert!((0.0..60.0).contains(&age), "{age}");
    assert!(get("aftercall_partition_days_ahead", &[("table", "deliveries")]) > 59.0);
    assert!(get("aftercall_table_bytes", &[("table", "deliveries")]) > 0.0);

    // Much later the last webhook is still known, though its delivery is no longer looked at.
    let row = "update aftercall.service_samples set taken_at = now() + interval '1 day'";
    sqlx::query(row).execute(&app.db.pool).await.unwrap();
    let at_rest = "update aftercall.provider_gate set refused_since = now() - interval '1 minute',
        refused_class = 'auth', probe_at = now(), blocked_until = now() + interval '30 s'";
    sqlx::query(at_rest).execute(&app.db.pool).await.unwrap();
    let values = sampled(&app).await.values;
    assert_eq!(values.get("aftercall_last_webhook_timestamp_seconds", &[]), Some(webhook));
    let refused =
        |class| values.get("aftercall_upstream_refused_seconds", &[ACCOUNT, ("class", class)]);
    assert!(refused("auth") >= Some(60.0) && refused("upstream") == Some(0.0));
    let penalty = values.get("aftercall_upstream_penalty_seconds", &[ACCOUNT]).unwrap();
    assert!((1.0..=30.0).contains(&penalty), "{penalty}");
}

#[tokio::test]
async fn a_job_that_waits_for_its_retry_is_old_but_not_due() {
    let app = TestApp::start().await;
    let due = async || sampled(&app).await.values.get("aftercall_oldest_due_job_seconds", &[]);
    assert_eq!(due().await, Some(0.0), "there is no job");
    let job = app.submit().await;
    let waits = "update aftercall.jobs set created_at = now() - interval '1 day',
        due_at = now() + interval '10 minutes' where id = $1";
    app.about(job, waits).await;
    assert_eq!(due().await, Some(0.0));
    app.about(job, "update aftercall.jobs set due_at = now() - interval '6 minutes' where id = $1")
        .await;
    let secs = due().await.unwrap();
    assert!((360.0..400.0).contains(&secs), "{secs}");
}
