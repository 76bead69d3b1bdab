//! Endpoints that are off: nothing that happens meanwhile vanishes.
use std::time::Duration;

use aftercall::endpoints::{self, Health, PauseRules, Sign};
use serde_json::json;
use uuid::Uuid;

use super::{endpoint, pass_waits, receiver::Receiver, states};
use crate::support::app::TestApp;

const SUBMITTED: &[&str] = &["job.submitted"];

async fn state(app: &TestApp, id: Uuid) -> (String, Option<String>, i32) {
    sqlx::query_as("select state, pause_reason, failures from aftercall.endpoints where id = $1")
        .bind(id)
        .fetch_one(&app.db.pool)
        .await
        .unwrap()
}

/// Makes it so that the endpoint has been failing for so many hours, so many times.
async fn failing(app: &TestApp, id: Uuid, hours: i32, failures: i32) {
    let since = "update aftercall.endpoints set failures = $3,
        failing_since = now() - make_interval(hours => $2) where id = $1";
    sqlx::query(since).bind(id).bind(hours).bind(failures).execute(&app.db.pool).await.unwrap();
}

/// Has the endpoint fail once more, after failing for so long.
async fn fails_after(hours: i32, failures: i32) -> String {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), SUBMITTED).await;
    failing(&app, id, hours, failures).await;
    receiver.answers(&[(500, None)]);
    app.submitted().await;
    app.deliverer().drain().await;
    state(&app, id).await.0
}

#[tokio::test]
async fn an_endpoint_pauses_itself_after_5_days_or_20_failures_over_a_day() {
    assert_eq!(fails_after(5 * 24 + 1, 3).await, "paused");
    assert_eq!(fails_after(5 * 24 - 1, 3).await, "active");
    assert_eq!(fails_after(25, 19).await, "paused");
    assert_eq!(fails_after(25, 18).await, "active");
    assert_eq!(fails_after(23, 100).await, "active");
}

#[tokio::test]
async fn what_a_paused_endpoint_misses_is_skipped_and_a_probe_brings_it_back() {
    let app = TestApp::start().await;
    let [receiver, other] = [Receiver::start().await, Receiver::start().await];
    let (id, _) = endpoint(&app, &receiver.url(), SUBMITTED).await;
    endpoint(&app, &other.url(), &["notify.endpoint.paused"]).await;
    failing(&app, id, 200, 30).await;
    receiver.answers(&[(500, None)]);
    app.submitted().await;
    app.submitted().await;
    let deliverer = app.deliverer();
    deliverer.drain().await;
    assert_eq!(state(&app, id).await, ("paused".to_owned(), Some("failing".to_owned()), 31));
    let told = other.got();
    assert_eq!(told[0].json()["type"], "notify.endpoint.paused");
    assert_eq!(told[0].json()["data"]["endpointId"], json!(id));

    // The one that failed, the one that was waiting, and one that happens now.
    app.submitted().await;
    deliverer.drain().await;
    assert_eq!(states(&app).await.iter().filter(|it| *it == "skipped").count(), 3);
    assert_eq!(receiver.got().len(), 1);
    pass_waits(&app).await;
    assert_eq!(deliverer.drain().await, 0, "no probe is due");

    let due = "update aftercall.endpoints set probe_at = now() where probe_at is not null";
    sqlx::query(due).execute(&app.db.pool).await.unwrap();
    receiver.answers(&[(500, None)]);
    assert_eq!(deliverer.drain().await, 1);
    assert_eq!(state(&app, id).await.0, "paused");
    assert_eq!(states(&app).await.iter().filter(|it| *it == "skipped").count(), 3);
    assert_eq!(deliverer.drain().await, 0, "the next probe is an hour away");

    sqlx::query(due).execute(&app.db.pool).await.unwrap();
    assert_eq!(deliverer.drain().await, 1);
    assert_eq!(state(&app, id).await, ("active".to_owned(), None, 0));
    let ids: Vec<String> = receiver.got().iter().map(|it| it.id().to_owned()).collect();
    assert_eq!(ids, vec![ids[0].clone(); 3], "the oldest that it missed");
    assert_eq!(states(&app).await.iter().filter(|it| *it == "skipped").count(), 2);
}

#[tokio::test]
async fn a_410_disables_the_endpoint() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), SUBMITTED).await;
    receiver.answers(&[(410, None)]);
    app.submitted().await;
    app.deliverer().drain().await;
    assert_eq!(state(&app, id).await, ("disabled".to_owned(), Some("gone".to_owned()), 1));
    app.submitted().await;
    assert_eq!(app.deliverer().drain().await, 0);
    assert_eq!(states(&app).await, ["exhausted", "skipped"]);
}

#[tokio::test]
async fn pending_messages_of_a_paused_endpoint_are_skipped_whatever_their_number() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&app, &receiver.url(), &["job.submitted", "job.canceled"]).await;
    for _ in 0..3 {
        let job = app.submitted().await.id;
        app.ask(app.request("POST", &format!("/v1/jobs/{job}/cancel"))).await;
    }
    let copy = "insert into aftercall.notifications (id, lane, endpoint_id, caller_id, about_endpoint, type, version,
            occurred_at, state, due_at)
        select gen_random_uuid(), $1, $1, caller_id, $1, 'notify.test', 0, now(), 'pending', now()
        from aftercall.endpoints, generate_series(1, 2500) where id = $1";
    sqlx::query(copy).bind(id).execute(&app.db.pool).await.unwrap();
    let pause = "update aftercall.endpoints set state = 'paused', pause_reason = 'by_caller'";
    sqlx::query(pause).execute(&app.db.pool).await.unwrap();
    assert_eq!(app.deliverer().drain().await, 0);
    assert_eq!(
        app.count("select count(*) from aftercall.notifications where state <> 'skipped'").await,
        0
    );
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn batches_with_contrary_news_of_the_same_endpoints_do_not_wait_for_one_another() {
    let app = TestApp::start().await;
    let mut ids = [Uuid::nil(); 2];
    for id in &mut ids {
        *id = endpoint(&app, "http://127.0.0.1:9/", SUBMITTED).await.0;
    }
    let rules = PauseRules {
        after: Duration::from_hours(120),
        failures: 20,
        failures_over: Duration::from_hours(24),
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(1),
        probe_after: Duration::from_hours(1),
    };
    let record = async |well: Uuid, ill: Uuid| {
        let news = [(well, Sign::Well), (ill, Sign::Rejects)];
        let news = news.map(|(endpoint_id, sign)| Health { endpoint_id, sign });
        let mut tx = app.db.runtime.begin().await.unwrap();
        endpoints::record_health(&mut tx, &news, rules).await.unwrap();
        tx.commit().await.unwrap();
    };
    let [one, other] = ids;
    for _ in 0..50 {
        failing(&app, one, 1, 1).await;
        failing(&app, other, 1, 1).await;
        tokio::join!(record(one, other), record(other, one));
    }
}
