//! The trigger that writes the outbox.
use std::collections::BTreeSet;

use aftercall::{endpoints::EventType, jobs::EventKind};

use super::{add_endpoint, receiver::Receiver};
use crate::support::app::TestApp;

/// Types without an event of a job, or whose event does not exist yet.
const NOT_OF_JOBS: [&str; 3] = ["job.erased", "notify.endpoint.paused", "notify.test"];

#[tokio::test]
async fn every_type_about_jobs_is_written_when_its_event_happens() {
    let app = TestApp::start().await;
    let caller = sqlx::query_scalar("select id from aftercall.callers");
    let caller = caller.fetch_one(&app.db.pool).await.unwrap();
    let types: Vec<&str> = EventType::ALL.iter().map(|it| it.name()).collect();
    add_endpoint(&app.db.pool, caller, &types).await;
    let id = app.submit().await;
    for (seq, kind) in (2..).zip(EventKind::ALL) {
        let insert = "insert into aftercall.job_events (job_id, seq, kind) values ($1, $2, $3)";
        let insert = sqlx::query(insert).bind(id).bind(seq).bind(kind.name());
        insert.execute(&app.db.pool).await.unwrap();
    }
    let written: Vec<String> = sqlx::query_scalar("select type from aftercall.notifications")
        .fetch_all(&app.db.pool)
        .await
        .unwrap();
    let written: BTreeSet<&str> = written.iter().map(String::as_str).collect();
    let expected: BTreeSet<&str> =
        types.into_iter().filter(|name| !NOT_OF_JOBS.contains(name)).collect();
    assert_eq!(written, expected);
}

#[tokio::test]
async fn an_event_that_is_rolled_back_is_not_told() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    super::endpoint(&app, &receiver.url(), &["job.canceled"]).await;
    let id = app.submit().await;
    let mut tx = app.announcer.begin(&app.db.pool).await.unwrap();
    let caller: uuid::Uuid = sqlx::query_scalar("select caller_id from aftercall.jobs")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    let done = aftercall::jobs::cancel(&mut tx, caller.into(), &[id.into()]).await.unwrap();
    assert_eq!(done, [id.into()]);
    drop(tx);
    assert_eq!(app.deliverer().drain().await, 0);
}

#[tokio::test]
async fn a_deleted_job_leaves_nothing_in_the_outbox() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    super::endpoint(&app, &receiver.url(), &["job.submitted"]).await;
    let id = app.submitted().await.id;
    app.about(id, "delete from aftercall.attempts where job_id = $1").await;
    app.about(id, "delete from aftercall.jobs where id = $1").await;
    assert_eq!(app.deliverer().drain().await, 0);
    assert_eq!(app.count("select count(*) from aftercall.notifications").await, 0);
}
