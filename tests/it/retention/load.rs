//! Deliveries while months are dropped and rows deleted: none waits for a lock for more than 100 ms.
//!
//! Nothing is timed: the connections that store deliveries have `lock_timeout = 100ms`, so a longer wait is an error and
//! the delivery gets a 503.
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use aftercall::{
    db::LoginRole,
    jobs::{Announcer, Token},
    retention::Retention,
};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use super::past;
use crate::support::{app::TestApp, db::TestDb, eventually, fixture};

const AGE: Duration = Duration::from_hours(90 * 24);
/// Deliveries at the same time.
const SENDERS: usize = 4;
/// Jobs in each of the months.
const JOBS: i32 = 400;

/// The service with impatient connections, and a pool without that limit for retention.
async fn impatient() -> (TestApp, PgPool) {
    let mut db = TestDb::new().await;
    let patient = db.pool.clone();
    let options = db.options_of(LoginRole::Runtime).options([("lock_timeout", "100ms")]);
    db.runtime = PgPoolOptions::new().max_connections(8).connect_lazy_with(options);
    (TestApp::on(db, |_| {}).await, patient)
}

/// A completed job in each of these months, many times over.
async fn months(app: &TestApp, patient: &PgPool, days: &[i32]) {
    for days in days {
        let id = past::completed(app, *days).await;
        for statement in [
            "insert into aftercall.jobs (id, caller_id, tags, request, state, completed_via, created_at,
                deadline_at, finished_at)
            select overlay(gen_random_uuid()::text placing left(j.id::text, 13) from 1 for 13)::uuid, caller_id,
                tags, request, state, completed_via, created_at, deadline_at, finished_at
            from aftercall.jobs j cross join generate_series(1, $2) where id = $1",
            "insert into aftercall.job_events (job_id, seq, kind)
            select id, seq, 'queued' from aftercall.jobs cross join generate_series(1, $2 / 100) seq
            where left(id::text, 13) = left($1::text, 13) and id <> $1",
            "insert into aftercall.results (job_id, document, document_sha, parser_version, is_partial)
            select id, r.document, r.document_sha, r.parser_version, false
            from aftercall.jobs j join aftercall.results r on r.job_id = $1
            where left(id::text, 13) = left($1::text, 13) and id <> $1 and $2 > 0",
            "insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text)
            select id, seq, seq, seq + 1, 'It was said ' || seq
            from aftercall.jobs j cross join generate_series(1, $2 / 40) seq
            where left(id::text, 13) = left($1::text, 13) and id <> $1",
            "insert into aftercall.deliveries (job_id, id, attempt, via, outcome, headers, body, body_sha, body_bytes)
            select j.id, gen_random_uuid(), 1, 'webhook', 'accepted', '{}', d.body, d.body_sha, d.body_bytes
            from aftercall.jobs j join aftercall.deliveries d on d.job_id = $1
            where left(j.id::text, 13) = left($1::text, 13) and j.id <> $1 and $2 > 0",
        ] {
            sqlx::query(statement).bind(id).bind(JOBS).execute(patient).await.unwrap();
        }
    }
}

/// A submitted job and the path of its webhook.
async fn submitted(app: &TestApp) -> String {
    let id = Uuid::now_v7();
    let token = Token::new(id.into(), Token::random_secret());
    app.about(
        id,
        "insert into aftercall.jobs (id, caller_id, request, state, due_at, deadline_at)
        select $1, id, '{}', 'submitted', now() + interval '1 hour', now() + interval '1 day'
        from aftercall.callers",
    )
    .await;
    sqlx::query("insert into aftercall.attempts (job_id, number, token_sha) values ($1, 1, $2)")
        .bind(id)
        .bind(token.sha())
        .execute(&app.db.pool)
        .await
        .unwrap();
    format!("/webhooks/{}", token.reveal())
}

/// Delivers results until `stop`; all of them get a 200. Returns how many.
async fn deliver(app: &TestApp, stop: &AtomicBool, delivered: &AtomicUsize) {
    let body = fixture("seed/success.json");
    while !stop.load(Ordering::Relaxed) {
        let webhook = submitted(app).await;
        let answer = app.deliver(&webhook, body.clone()).await;
        assert_eq!(answer.status, 200, "a delivery waited for a lock: {answer:?}");
        delivered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `work` while deliveries arrive; returns its output, and how many arrived meanwhile.
async fn under_load<T>(app: &TestApp, work: impl Future<Output = T>) -> (T, usize) {
    let (stop, delivered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let senders = (0..SENDERS).map(|_| deliver(app, &stop, &delivered));
    let senders = futures_util::future::join_all(senders);
    let work = async {
        eventually("deliveries arrive", async || {
            (delivered.load(Ordering::Relaxed) >= SENDERS).then_some(())
        })
        .await;
        let done = work.await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (done, _) = futures_util::future::join(work, senders).await;
    (done, delivered.into_inner())
}

fn all_kinds(patient: &PgPool) -> Retention {
    let settings = past::settings(|it| {
        it.jobs = Some(2 * AGE);
        it.results = Some(AGE);
        it.deliveries = Some(AGE);
        it.timeline = Some(AGE);
    });
    Retention {
        db: patient.clone(),
        settings,
        media: None,
        announcer: Announcer::default(),
        metrics: aftercall::metrics::Metrics::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_delivery_waits_for_retention() {
    let (app, patient) = impatient().await;
    // Two months that go as jobs, two that go as parts of jobs, and one of which rows are left.
    months(&app, &patient, &[3 * 365, 400, 165, 130, 91]).await;
    let retention = all_kinds(&patient);
    let (applied, delivered) = under_load(&app, async {
        let mut dropped = 0;
        eventually("all due months are dropped", async || {
            let applied = retention.apply().await.unwrap();
            dropped += applied.partitions_dropped;
            (!applied.is_cut_short).then_some(())
        })
        .await;
        dropped
    })
    .await;
    assert!(
        applied >= 4 * 11 && delivered > SENDERS,
        "{delivered} deliveries, {applied} partitions"
    );
    let left =
        past::retention(&app.db, |it| *it = retention.settings.clone()).plan().await.unwrap();
    assert!(left.rows.is_empty() && left.partitions.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_go_on_while_a_long_query_keeps_a_month_from_being_dropped() {
    let (app, patient) = impatient().await;
    months(&app, &patient, &[400]).await;
    // An export, for example.
    let mut reader = PgConnection::connect_with(&app.db.connect_options()).await.unwrap();
    let mut tx = reader.begin().await.unwrap();
    sqlx::query("select from aftercall.results limit 1").execute(&mut *tx).await.unwrap();
    let retention = all_kinds(&patient);
    let (applied, _) = under_load(&app, retention.apply()).await;
    let applied = applied.unwrap();
    assert!(applied.is_cut_short && applied.partitions_dropped == 10, "{applied:?}");

    tx.rollback().await.unwrap();
    let applied = retention.apply().await.unwrap();
    assert!(!applied.is_cut_short && applied.partitions_dropped == 1, "{applied:?}");
}

/// The check of the tests above sees what it looks for.
#[tokio::test]
async fn a_delivery_that_waits_for_a_lock_fails() {
    let (app, patient) = impatient().await;
    let webhook = submitted(&app).await;
    let mut tx = patient.begin().await.unwrap();
    sqlx::query("lock table aftercall.results").execute(&mut *tx).await.unwrap();
    assert_ne!(app.deliver(&webhook, fixture("seed/success.json")).await.status, 200);
    tx.rollback().await.unwrap();
    assert_eq!(app.deliver(&webhook, fixture("seed/success.json")).await.status, 200);
}
