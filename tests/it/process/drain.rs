//! The drain, step by step: unready at once, no new work, work in progress finished and recorded, then the exit.
use aftercall::provider::wire;
use axum::{
    Json, Router,
    http::StatusCode,
    routing::{any, post},
};
use futures_util::StreamExt as _;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};

use super::{Home, Service};
use crate::support::{db::TestDb, eventually};

/// A provider that takes its time: it responds to submissions once `open` is true.
async fn slow_provider(open: &watch::Sender<bool>) -> (String, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (open, (seen, count)) = (open.clone(), watch::channel(0));
    let token = json!({ "access_token": "t", "token_type": "bearer", "expires_in": 3600 });
    let analyze = move || {
        let (mut open, seen) = (open.subscribe(), seen.clone());
        async move {
            seen.send_modify(|count| *count += 1);
            open.wait_for(|open| *open).await.unwrap();
            (StatusCode::ACCEPTED, Json(json!({ "jobId": "rc-1" })))
        }
    };
    let router = Router::new()
        .route(wire::TOKEN_PATH, any(move || std::future::ready(Json(token.clone()))))
        .route(wire::ANALYZE_PATH, post(analyze));
    tokio::spawn(axum::serve(listener, router).into_future());
    (url, count)
}

#[tokio::test]
async fn work_in_progress_is_finished_and_none_is_begun() {
    let db = TestDb::new().await;
    let open = watch::Sender::new(false);
    let (provider, mut seen) = slow_provider(&open).await;
    let home = Home::on(&db)
        .set("AFTERCALL__PROVIDER__BASE_URL", &provider)
        .set("AFTERCALL__PROVIDER__CLIENT_ID", "app")
        .set("AFTERCALL__PROVIDER__CLIENT_SECRET", "secret")
        .set("AFTERCALL__PROVIDER__JWT", "jwt")
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "http://127.0.0.1:9")
        .set("AFTERCALL__WEBHOOK__SELF_TEST", "0s")
        .set("AFTERCALL__DISPATCH__POLL_INTERVAL", "50ms")
        .set("AFTERCALL__SHUTDOWN__DRAIN_DELAY", "2s")
        .set("AFTERCALL__SHUTDOWN__TIMEOUT", "20s");
    let service = Service::start(&home).await;
    let recording = json!({ "contentUri": "https://media.example/1.wav" });
    let first = service.submit(recording.clone()).await;
    seen.wait_for(|count| *count == 1).await.unwrap();

    service.process.signal(Signal::SIGTERM);
    let readiness = [format!("{}/readyz", service.ops), format!("{}/readyz", service.api)];
    for url in &readiness {
        eventually("unreadiness", async || {
            (service.status(url).await == StatusCode::SERVICE_UNAVAILABLE).then_some(())
        })
        .await;
    }
    let late = service.submit(recording).await;
    // Its listeners close while the provider still has the first submission.
    eventually("closed listeners", async || service.http.get(&readiness[0]).send().await.err())
        .await;
    assert_eq!(state(&db, &first).await, ("submitting".to_owned(), 1));
    open.send_replace(true);
    let ended = service.process.ended().await;
    assert!(!ended.out.contains("shutdown timeout exceeded"), "{}", ended.out);
    assert!(!ended.out.contains("database connections are still in use"), "{}", ended.out);
    ended.success();
    assert_eq!(state(&db, &first).await, ("submitted".to_owned(), 1));
    assert_eq!(state(&db, &late).await, ("queued".to_owned(), 0), "claimed while draining");
    assert_eq!(*seen.borrow(), 1);
}

/// State of a job, and how many attempts were made to submit it.
async fn state(db: &TestDb, id: &str) -> (String, i64) {
    let statement =
        "select state, (select count(*) from aftercall.attempts a where a.job_id = j.id)
        from aftercall.jobs j where id = $1::uuid";
    sqlx::query_as(statement).bind(id).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test]
async fn work_that_takes_too_long_is_left_to_its_lease() {
    let db = TestDb::new().await;
    let open = watch::Sender::new(false);
    let (provider, mut seen) = slow_provider(&open).await;
    let home = Home::on(&db)
        .set("AFTERCALL__PROVIDER__BASE_URL", &provider)
        .set("AFTERCALL__PROVIDER__CLIENT_ID", "app")
        .set("AFTERCALL__PROVIDER__CLIENT_SECRET", "secret")
        .set("AFTERCALL__PROVIDER__JWT", "jwt")
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "http://127.0.0.1:9")
        .set("AFTERCALL__SHUTDOWN__TIMEOUT", "500ms");
    let service = Service::start(&home).await;
    let id = service.submit(json!({ "contentUri": "https://media.example/1.wav" })).await;
    seen.wait_for(|count| *count == 1).await.unwrap();
    service.process.signal(Signal::SIGTERM);
    let out = service.process.ended().await.success();
    assert!(out.contains("shutdown timeout exceeded"), "{out}");
    assert_eq!(state(&db, &id).await, ("submitting".to_owned(), 1));
}

#[tokio::test]
async fn event_streams_end_with_a_farewell() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    let request = service.http.get(format!("{}/v1/events", service.api)).bearer_auth(&service.key);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    service.process.signal(Signal::SIGTERM);
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text += std::str::from_utf8(&chunk.expect("an end without an error")).unwrap();
    }
    assert!(text.trim_end().ends_with("event: bye\ndata: {}"), "{text}");
    service.process.ended().await.success();
}

#[tokio::test]
async fn submissions_that_wait_are_stored_and_answered() {
    let db = TestDb::new().await;
    let home = Home::on(&db)
        .set("AFTERCALL__ROLES", "api")
        .set("AFTERCALL__SUBMISSIONS__WRITERS", "1")
        .set("AFTERCALL__SUBMISSIONS__BATCH_MAX", "3")
        .set("AFTERCALL__SHUTDOWN__DRAIN_DELAY", "0s")
        .set("AFTERCALL__SHUTDOWN__TIMEOUT", "20s");
    let service = Service::start(&home).await;
    let mut lock = db.pool.begin().await.unwrap();
    let statement = "lock table aftercall.jobs in share row exclusive mode";
    sqlx::query(statement).execute(&mut *lock).await.unwrap();
    let submit = || service.submit(json!({ "contentUri": "https://media.example/1.wav" }));
    let sent = futures_util::future::join_all((0..20).map(|_| submit()));
    let stop = async {
        let waits = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        eventually("a writer that waits", async || {
            let waits: i64 = sqlx::query_scalar(waits).fetch_one(&db.pool).await.unwrap();
            (waits == 1).then_some(())
        })
        .await;
        service.process.signal(Signal::SIGTERM);
        let health = format!("{}/readyz", service.api);
        eventually("closed listeners", async || service.http.get(&health).send().await.err()).await;
        lock.commit().await.unwrap();
    };
    let (ids, ()) = tokio::join!(sent, stop);
    let out = service.process.ended().await.success();
    assert!(!out.contains("shutdown timeout exceeded"), "{out}");
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.parse().unwrap()).collect();
    let stored = "select count(*) from aftercall.jobs where id = any($1)";
    let stored: i64 = sqlx::query_scalar(stored).bind(&ids).fetch_one(&db.pool).await.unwrap();
    assert_eq!(stored, 20);
}
