//! Endpoints that hang delay no other.
use std::collections::HashSet;

use super::{endpoint, receiver::Receiver};
use crate::support::{app::TestApp, soon};

const ENDPOINTS: usize = 50;
const JOBS: usize = 40;

#[tokio::test]
async fn one_of_fifty_endpoints_hangs_and_the_others_get_everything() {
    // Fewer slots than the hanging endpoint has messages.
    let app = TestApp::with(|it| it.notify.concurrency = 24).await;
    let dead = Receiver::hanging().await;
    endpoint(&app, &dead.url(), &["job.submitted"]).await;
    let mut healthy = Vec::new();
    for _ in 1..ENDPOINTS {
        let receiver = Receiver::start().await;
        endpoint(&app, &receiver.url(), &["job.submitted"]).await;
        healthy.push(receiver);
    }
    for _ in 0..JOBS {
        app.submit().await;
    }
    assert_eq!(app.dispatcher.drain().await, JOBS);
    let worker = tokio::spawn(app.deliverer().run(app.draining.clone()));
    for receiver in &healthy {
        let got = receiver.wait_for(JOBS).await;
        assert_eq!(got.iter().map(|it| it.id().to_owned()).collect::<HashSet<_>>().len(), JOBS);
    }
    // All while the dead one holds its own requests, and no more than it may.
    let held = dead.got().len();
    assert!((1..=10).contains(&held), "{held}");
    worker.abort();
    assert!(soon("the end", worker).await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn endpoints_that_failed_get_half_of_the_slots_and_one_request_each() {
    let app = TestApp::with(|it| it.notify.concurrency = 8).await;
    let dead = Receiver::hanging().await;
    let mut failed = Vec::new();
    for _ in 0..20 {
        failed.push(endpoint(&app, &dead.url(), &["job.submitted"]).await.0);
    }
    let failing =
        "update aftercall.endpoints set failures = 1, failing_since = now() where id = any($1)";
    sqlx::query(failing).bind(&failed).execute(&app.db.pool).await.unwrap();
    let healthy = Receiver::start().await;
    endpoint(&app, &healthy.url(), &["job.submitted"]).await;
    for _ in 0..5 {
        app.submit().await;
    }
    assert_eq!(app.dispatcher.drain().await, 5);
    let worker = tokio::spawn(app.deliverer().run(app.draining.clone()));
    healthy.wait_for(5).await;
    assert_eq!(dead.wait_for(4).await.len(), 4);
    let most = "select max(held) from (select count(*) as held from aftercall.notifications
        where state = 'delivering' and lane in (select id from aftercall.endpoints where failures > 0)
        group by lane) lane";
    assert_eq!(app.count(most).await, 1);
    worker.abort();
}
