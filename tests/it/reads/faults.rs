//! The replica is paused, stopped, promoted, or cancels what is in the way of what it must replay.
use aftercall::{
    app, config,
    db::LoginRole,
    metrics::Metrics,
    reads::{ReadConnection, Reads},
};
use axum::{
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt as _;
use sqlx::{ConnectOptions as _, Executor as _, PgPool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    app_reading, app_with_replica, counted, ids, is_usable, on_primary, on_replica, scraped,
    servers::{Primary, Replica},
    submits_and_sees, usable, uses_replica,
};
use crate::support::{db::TestDb, eventually, seed::seed};

/// Reads of a process of its own.
fn reads(primary: &PgPool, read_url: String) -> (Reads, Metrics) {
    let mut settings = config::load(None).unwrap().settings;
    settings.database.read_url = Some(read_url.into());
    let metrics = Metrics::new();
    let reads = app::reads(&settings, primary, &metrics).unwrap();
    tokio::spawn(reads.watch().unwrap().run(CancellationToken::new()));
    (reads, metrics)
}

#[tokio::test]
async fn while_the_replica_is_paused_everything_written_is_seen() {
    let (_primary, replica, app) = app_with_replica().await;
    replica.order("select pg_wal_replay_pause()").await;
    for _ in 0..5 {
        submits_and_sees(&app).await;
    }
    assert!(on_primary(&app, "behind") >= 5.0);
    is_usable(&app, false).await;
    eventually("the lag", async || {
        let lag =
            |unit| scraped(&app.metrics).get(&format!("aftercall_db_replica_lag_{unit}"), &[]);
        (lag("bytes")? > 0.0 && lag("seconds")? > 1.0).then_some(())
    })
    .await;

    replica.order("select pg_wal_replay_resume()").await;
    uses_replica(&app).await;
    assert_eq!(scraped(&app.metrics).get("aftercall_db_replica_lag_bytes", &[]), Some(0.0));
    submits_and_sees(&app).await;
}

#[tokio::test]
async fn without_its_replica_the_service_answers_from_the_primary() {
    let (_primary, mut replica, app) = app_with_replica().await;
    replica.stop();
    for _ in 0..5 {
        submits_and_sees(&app).await;
    }
    is_usable(&app, false).await;
    submits_and_sees(&app).await;
    assert!(on_primary(&app, "unreachable") >= 1.0);
    replica.start().await;
    uses_replica(&app).await;
    submits_and_sees(&app).await;
}

#[tokio::test]
async fn a_promoted_replica_is_not_read_and_neither_is_what_has_left_its_history() {
    let primary = Primary::start().await;
    let db = primary.database().await;
    let (promoted, other) = tokio::join!(Replica::of(&primary), Replica::of(&primary));
    let (name, runtime) = (db.name().to_owned(), LoginRole::Runtime.name());
    let app = app_reading(db, promoted.url(&name)).await;
    uses_replica(&app).await;
    let job = app.submit().await;
    uses_replica(&app).await;
    promoted.order("select pg_promote()").await;
    let mut there = promoted.connect(&name).await;
    sqlx::query("delete from aftercall.jobs").execute(&mut there).await.unwrap();
    assert_eq!(ids(&app).await, [job.to_string()]);
    is_usable(&app, false).await;
    assert!(on_primary(&app, "not_a_replica") >= 1.0);

    // A process for which the promoted one is the primary. The other replica still follows the old one, which has written
    // more meanwhile, so that by its position it is ahead.
    sqlx::query("create table more as select generate_series(1, 30000) as n")
        .execute(&app.db.pool)
        .await
        .unwrap();
    eventually("more on the other replica", async || {
        let mut db = other.connect(&name).await;
        sqlx::query("select from more limit 1").execute(&mut db).await.ok()
    })
    .await;
    let new = PgPool::connect_with(promoted.options(&name).username(runtime)).await.unwrap();
    let (reads, metrics) = reads(&new, other.url(&name));
    eventually("a look at the other", async || usable(&metrics)).await;
    let seen = reads.run(async |mut db: ReadConnection| {
        sqlx::query_scalar::<_, i64>("select count(*) from aftercall.jobs")
            .fetch_one(&mut *db)
            .await
    });
    assert_eq!(seen.await.unwrap(), 0);
    assert_eq!(usable(&metrics), Some(false));
    assert!(counted(&metrics, "primary", "not_a_replica") >= 1.0);
}

#[tokio::test]
async fn another_database_is_no_replica() {
    let (db, other) = (TestDb::new().await, TestDb::new().await);
    let url = other.options_of(LoginRole::Runtime).to_url_lossy();
    let app = app_reading(db, url.to_string()).await;
    eventually("its fault", async || {
        submits_and_sees(&app).await;
        (on_primary(&app, "not_a_replica") > 0.0).then_some(())
    })
    .await;
    assert_eq!(usable(&app.metrics), Some(false));
    assert!(on_replica(&app) < 1.0);
}

#[tokio::test]
async fn another_database_of_the_replica_is_none() {
    let primary = Primary::start().await;
    let (db, other) = (primary.database().await, primary.database().await);
    let replica = Replica::of(&primary).await;
    let app = app_reading(db, replica.url(other.name())).await;
    eventually("its fault", async || {
        submits_and_sees(&app).await;
        (on_primary(&app, "not_a_replica") > 0.0).then_some(())
    })
    .await;
    assert!(on_replica(&app) < 1.0);
}

#[tokio::test]
async fn what_the_replica_cancels_runs_on_the_primary() {
    let (_primary, replica, app) = app_with_replica().await;
    app.db
        .pool
        .execute("create table public.passing as select; grant select on public.passing to public")
        .await
        .unwrap();
    let (reads, metrics) = reads(&app.db.runtime, replica.url(app.db.name()));
    eventually("a usable replica", async || usable(&metrics).filter(|it| *it)).await;
    let is_read = Notify::new();
    let read = async |mut db: ReadConnection| {
        let is_replica =
            sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(&mut *db).await?;
        if is_replica {
            let mut tx = db.begin("begin read only").await?;
            tx.execute("select from public.passing").await?;
            is_read.notify_one();
            tx.execute("select pg_sleep(600)").await?;
        }
        Ok::<bool, sqlx::Error>(is_replica)
    };
    let drop_table = async {
        is_read.notified().await;
        app.db.pool.execute("drop table public.passing").await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ran_on_replica = reads.run(read) => assert!(!ran_on_replica.unwrap()),
        () = drop_table => {}
    }
    assert!((counted(&metrics, "primary", "interrupted") - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_export_that_the_replica_breaks_off_goes_on_from_the_primary() {
    /// More than the buffers along the way can hold.
    const LONG: i32 = 20_000;
    let (_primary, replica, app) = app_with_replica().await;
    seed(&app.db.pool, "app", 2, LONG).await;
    uses_replica(&app).await;
    let before = on_replica(&app);
    let request = Request::get("/v1/exports/utterances.ndjson")
        .header(header::AUTHORIZATION, format!("Bearer {}", app.key));
    let response = app.api.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert!(on_replica(&app) > before);
    let mut body = response.into_body();
    let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
    replica
        .order("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'aftercall_runtime'")
        .await;
    text.extend_from_slice(&body.collect().await.unwrap().to_bytes());
    assert!(on_primary(&app, "interrupted") >= 1.0);
    let text = String::from_utf8(text).unwrap();
    let position = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (line["jobId"].as_str().unwrap().to_owned(), line["seq"].as_i64().unwrap())
    };
    let positions: Vec<_> = text.lines().map(position).collect();
    assert_eq!(positions.len(), 2 * 20_000);
    assert!(positions.is_sorted_by(|a, b| a < b), "a line is missing, or there twice");
}
