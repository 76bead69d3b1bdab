//! Where the time of a job went.
use std::time::Duration;

use aftercall::{deliveries::Quota, outcome};
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use super::scrape::scraped;
use crate::support::{
    app::{TestApp, seal},
    arrival::arrival,
    fixture,
};

/// Seconds by part, and in all.
#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Parts {
    queued: f64,
    submitting: f64,
    upstream: f64,
    callback_commit: f64,
    total: f64,
    /// Whether they add up, in Postgres's exact numbers.
    is_exact: bool,
}

async fn parts(db: &PgPool, id: Uuid) -> Parts {
    let query = "select b.queued::float8, b.submitting::float8, b.upstream::float8,
            b.callback_commit::float8, b.total::float8,
            b.queued + b.submitting + b.upstream + b.callback_commit = b.total as is_exact
        from aftercall.jobs j
        cross join lateral
            aftercall.blame(j.id, j.created_at, j.finished_at, j.result_received_at) b
        where j.id = $1";
    let parts: Parts = sqlx::query_as(query).bind(id).fetch_one(db).await.unwrap();
    assert!(parts.is_exact, "{parts:?}");
    parts
}

/// A finished job whose row and attempts are then given other times, in seconds after its creation.
async fn finished(app: &TestApp) -> Uuid {
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    app.about(
        job.id,
        "update aftercall.jobs set created_at = '2030-01-01', finished_at = timestamptz '2030-01-01' + interval '100 s',
            result_received_at = timestamptz '2030-01-01' + interval '99.5 s' where id = $1",
    )
    .await;
    app.about(job.id, "delete from aftercall.attempts where job_id = $1").await;
    job.id
}

/// An attempt: when it began, when it was answered, and when the job stopped waiting for it.
async fn attempt(db: &PgPool, id: Uuid, outcome: &str, times: (f64, Option<f64>, Option<f64>)) {
    let insert = "insert into aftercall.attempts
            (job_id, number, token_sha, outcome, created_at, answered_at, given_up_at)
        select $1, 1 + (select count(*) from aftercall.attempts where job_id = $1), sha256('x'), $2,
            zero + make_interval(secs => $3), zero + make_interval(secs => $4),
            zero + make_interval(secs => $5)
        from (select timestamptz '2030-01-01' as zero) z";
    let (began, answered, given_up) = times;
    let query =
        sqlx::query(insert).bind(id).bind(outcome).bind(began).bind(answered).bind(given_up);
    query.execute(db).await.unwrap();
}

fn all(queued: f64, submitting: f64, upstream: f64, callback_commit: f64) -> Parts {
    Parts { queued, submitting, upstream, callback_commit, total: 100.0, is_exact: true }
}

#[tokio::test]
async fn the_parts_add_up_whatever_happened() {
    let app = TestApp::start().await;
    let db = &app.db.pool;

    let id = finished(&app).await;
    assert_eq!(parts(db, id).await, all(99.5, 0.0, 0.0, 0.5), "it never reached the provider");
    attempt(db, id, "accepted", (10.0, Some(11.0), None)).await;
    assert_eq!(parts(db, id).await, all(10.0, 1.0, 88.5, 0.5), "at the first attempt");

    let id = finished(&app).await;
    attempt(db, id, "throttled", (5.0, Some(6.0), None)).await;
    attempt(db, id, "broken", (26.0, Some(28.0), None)).await;
    attempt(db, id, "accepted", (40.0, Some(43.0), None)).await;
    assert_eq!(parts(db, id).await, all(37.0, 6.0, 56.5, 0.5), "several attempts add up");

    let id = finished(&app).await;
    attempt(db, id, "unknown", (1.0, Some(31.0), Some(51.0))).await;
    attempt(db, id, "accepted", (60.0, Some(61.0), None)).await;
    assert_eq!(
        parts(db, id).await,
        all(10.0, 31.0, 58.5, 0.5),
        "an unknown outcome was waited for"
    );

    let id = finished(&app).await;
    attempt(db, id, "open", (99.0, None, None)).await;
    assert_eq!(parts(db, id).await, all(99.0, 0.5, 0.0, 0.5), "the result overtook the response");
    app.about(id, "update aftercall.attempts set outcome = 'accepted', answered_at = '2031-01-01' where job_id = $1").await;
    assert_eq!(
        parts(db, id).await,
        all(99.0, 0.5, 0.0, 0.5),
        "the response was recorded much later"
    );

    let id = finished(&app).await;
    attempt(db, id, "accepted", (10.0, Some(11.0), None)).await;
    app.about(id, "update aftercall.jobs set result_received_at = null where id = $1").await;
    assert_eq!(parts(db, id).await, all(10.0, 1.0, 89.0, 0.0), "it ended without a result");
}

#[tokio::test]
async fn each_step_leaves_the_times_that_the_parts_need() {
    let app = TestApp::start().await;
    let db = &app.db.pool;
    let id = app.submit().await;
    app.about(id, "update aftercall.jobs set created_at = now() - interval '100 s' where id = $1")
        .await;
    app.dispatcher.drain().await;
    // Unconfirmed for a while, then queued again, and lost once more after it was accepted.
    app.about(
        id,
        "update aftercall.jobs set state = 'submitting', due_at = now() - interval '1 s' where id = $1",
    )
    .await;
    app.about(
        id,
        "update aftercall.attempts set outcome = 'unknown', created_at = now() - interval '90 s',
            answered_at = now() - interval '80 s' where job_id = $1",
    )
    .await;
    app.reconciler.round().await.unwrap();
    let given_up = "select given_up_at > now() - interval '1 minute' from aftercall.attempts where job_id = $1";
    assert!(sqlx::query_scalar::<_, bool>(given_up).bind(id).fetch_one(db).await.unwrap());
    app.about(
        id,
        "update aftercall.attempts set given_up_at = now() - interval '50 s' where job_id = $1",
    )
    .await;
    app.dispatcher.drain().await;
    let sent = app.submissions().await;
    let webhook = crate::support::app::webhook_of(sent.last().unwrap());
    app.about(
        id,
        "update aftercall.attempts set created_at = now() - interval '40 s',
        answered_at = now() - interval '39 s' where job_id = $1 and number = 2",
    )
    .await;
    app.deliver(&webhook, fixture("seed/success.json")).await;

    let Parts { queued, submitting, upstream, callback_commit, .. } = parts(db, id).await;
    let about = |value: f64, expected: f64| (value - expected).abs() < 5.0;
    assert!(about(queued, 20.0) && about(submitting, 11.0), "{queued} {submitting}");
    assert!(about(upstream, 69.0) && callback_commit < 5.0, "{upstream} {callback_commit}");

    let seen = scraped(&app).await;
    let sum = |stage| seen.get("aftercall_job_duration_seconds_sum", &[("stage", stage)]).unwrap();
    assert!((sum("queued") - queued).abs() < 1e-6, "the histogram has the same parts");
    let of_parts = sum("queued") + sum("submitting") + sum("upstream") + sum("callback_commit");
    assert!((sum("total") - of_parts).abs() < 1e-6);
    assert!(sum("parse") > 0.0);
}

#[tokio::test]
async fn a_delivery_is_received_when_it_arrives_and_not_when_it_is_stored() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.about(
        job.id,
        "update aftercall.jobs set created_at = now() - interval '1 minute' where id = $1",
    )
    .await;
    let mut arrival = arrival(job.id, fixture("seed/success.json"));
    arrival.delivery.arrived = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
    let mut tx = app.announcer.begin(&app.db.pool).await.unwrap();
    outcome::apply(&mut tx, &seal(), &[arrival], Quota::UNLIMITED).await.unwrap();
    tx.commit().await.unwrap();
    let Parts { callback_commit, .. } = parts(&app.db.pool, job.id).await;
    assert!((1.0..60.0).contains(&callback_commit), "{callback_commit}");
    let query = "select d.received_at = j.result_received_at and d.commit_ms >= 1000
        from aftercall.deliveries d join aftercall.jobs j on j.id = d.job_id where j.id = $1";
    let is_so = sqlx::query_scalar::<_, bool>(query).bind(job.id).fetch_one(&app.db.pool).await;
    assert!(is_so.unwrap());
}
