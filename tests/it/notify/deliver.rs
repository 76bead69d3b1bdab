//! What an endpoint gets, and what its responses mean.
use std::time::Duration;

use aftercall::{config::RetentionSettings, jobs::Announcer, retention::Retention};
use secrecy::ExposeSecret as _;
use serde_json::json;
use standardwebhooks::Webhook;

use super::{endpoint, pass_waits, receiver::Receiver, states};
use crate::support::{app::TestApp, fixture};

const ALL: &[&str] = &["job.submitted", "job.completed", "job.failed", "job.canceled"];

/// A job that was completed by its webhook.
async fn completed(app: &TestApp) -> uuid::Uuid {
    let job = app.submitted_as("call-42").await;
    let result = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    assert_eq!(app.deliver(&job.webhook, result).await.status, 200);
    job.id
}

#[tokio::test]
async fn a_completed_job_is_told_in_order_signed_and_once() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let (_, secret) = endpoint(&app, &receiver.url(), ALL).await;
    let id = completed(&app).await;
    assert_eq!(app.deliverer().drain().await, 2);
    let got = receiver.got();
    assert_eq!(receiver.kinds(), ["job.submitted", "job.completed"]);
    let version = app.job(id).await["version"].as_i64().unwrap();
    assert_eq!(got[1].id(), format!("msg_{}_{version}", id.simple()));
    assert_eq!(got[1].header("content-type"), "application/json");
    assert!(got[1].header("user-agent").starts_with("Aftercall/"), "{got:?}");
    let mut body = got[1].json();
    assert_eq!(body["data"]["links"]["result"], format!("/v1/jobs/{id}/result"));
    body["data"]["links"] = json!({});
    body["timestamp"] = json!("…");
    assert_eq!(
        body,
        json!({ "type": "job.completed", "timestamp": "…", "data": {
            "jobId": id, "externalId": "call-42", "status": "completed", "completedVia": "webhook", "links": {},
        }})
    );
    let verifier = Webhook::new(secret.reveal().expose_secret()).unwrap();
    for got in &got {
        verifier.verify(&got.body, &got.headers).unwrap();
    }
    assert_eq!(app.deliverer().drain().await, 0);
    assert_eq!(states(&app).await, ["delivered", "delivered"]);
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_with_the_same_id_and_blocks_what_follows() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    endpoint(&app, &receiver.url(), ALL).await;
    receiver.answers(&[(400, None), (302, None), (200, None)]);
    completed(&app).await;
    let deliverer = app.deliverer();
    for _ in 0..3 {
        deliverer.drain().await;
        pass_waits(&app).await;
    }
    assert_eq!(
        receiver.kinds(),
        ["job.submitted", "job.submitted", "job.submitted", "job.completed"]
    );
    let got = receiver.got();
    assert!(got[..3].iter().all(|it| it.id() == got[0].id()), "{got:?}");
    assert_ne!(got[3].id(), got[0].id());
    let attempts: Vec<(i32, String, Option<i32>, Option<String>)> = sqlx::query_as(
        "select a.number, a.outcome, a.status, a.answer from aftercall.notification_attempts a
        join aftercall.notifications n on n.id = a.notification_id
        where n.type = 'job.submitted' order by a.number",
    )
    .fetch_all(&app.db.pool)
    .await
    .unwrap();
    let statuses: Vec<_> = attempts.iter().map(|it| (it.0, it.2.unwrap())).collect();
    assert_eq!(statuses, [(1, 400), (2, 302), (3, 200)]);
    assert!(attempts.iter().all(|it| it.1 == "answered" && it.3.as_deref() == Some("thanks")));
}

#[tokio::test]
async fn after_the_last_retry_a_message_is_exhausted_and_the_next_one_is_sent() {
    let app = TestApp::with(|it| it.notify.retries = vec![Duration::from_secs(5)]).await;
    let receiver = Receiver::start().await;
    endpoint(&app, &receiver.url(), ALL).await;
    receiver.answers(&[(500, None), (500, None)]);
    completed(&app).await;
    for _ in 0..3 {
        app.deliverer().drain().await;
        pass_waits(&app).await;
    }
    assert_eq!(states(&app).await, ["exhausted", "delivered"]);
    assert_eq!(receiver.kinds(), ["job.submitted", "job.submitted", "job.completed"]);
}

/// The wait until the next attempt, and how long the endpoint gets nothing.
async fn waits(app: &TestApp) -> (f64, Option<f64>) {
    sqlx::query_as(
        "select extract(epoch from n.due_at - now())::float8, extract(epoch from e.slow_until - now())::float8
        from aftercall.notifications n join aftercall.endpoints e on e.id = n.endpoint_id
        where n.state = 'pending' and n.attempts > 0",
    )
    .fetch_one(&app.db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn retry_after_is_honored_up_to_a_limit() {
    for (given, least, most) in [("100", 95.0, 100.0), ("999999", 86390.0, 86400.0)] {
        let app = TestApp::start().await;
        let receiver = Receiver::start().await;
        endpoint(&app, &receiver.url(), &["job.submitted"]).await;
        receiver.answers(&[(503, Some(given))]);
        app.submitted().await;
        app.deliverer().drain().await;
        let (message, endpoint) = waits(&app).await;
        assert!((least..=most).contains(&message), "{message}");
        assert!((least..=most).contains(&endpoint.unwrap()), "{endpoint:?}");
        // Another message waits too, although it is due.
        app.submitted().await;
        assert_eq!(app.deliverer().drain().await, 0);
    }
}

#[tokio::test]
async fn an_endpoint_that_rejects_a_message_gets_the_next_one_at_once() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    endpoint(&app, &receiver.url(), &["job.submitted"]).await;
    receiver.answers(&[(422, None)]);
    app.submitted().await;
    app.submitted().await;
    assert_eq!(app.deliverer().drain().await, 2);
    let (message, endpoint) = waits(&app).await;
    assert!((4.4..=5.5).contains(&message), "{message}");
    assert_eq!(endpoint, None);
}

#[tokio::test]
async fn what_a_killed_process_was_sending_is_sent_again_with_the_same_id() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    endpoint(&app, &receiver.url(), &["job.submitted"]).await;
    app.submitted().await;
    let expire = "update aftercall.notifications set state = 'delivering', attempts = 1,
        lease_id = gen_random_uuid(), due_at = now() - interval '1 second'";
    sqlx::query(expire).execute(&app.db.pool).await.unwrap();
    assert_eq!(app.deliverer().drain().await, 1);
    let outcomes: Vec<String> =
        sqlx::query_scalar("select outcome from aftercall.notification_attempts order by number")
            .fetch_all(&app.db.pool)
            .await
            .unwrap();
    assert_eq!(outcomes, ["lost", "answered"]);
}

#[tokio::test]
async fn an_endpoint_gets_only_the_events_of_its_caller_that_it_wants() {
    let app = TestApp::start().await;
    let [mine, others] = [Receiver::start().await, Receiver::start().await];
    endpoint(&app, &mine.url(), &["job.canceled"]).await;
    let (foreign, _) = endpoint(&app, &others.url(), ALL).await;
    sqlx::raw_sql("insert into aftercall.callers (id, name) values (gen_random_uuid(), 'other')")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let give = "update aftercall.endpoints set caller_id = (select id from aftercall.callers where name = 'other')
        where id = $1";
    sqlx::query(give).bind(foreign).execute(&app.db.pool).await.unwrap();
    let id = app.submitted().await.id;
    app.ask(app.request("POST", &format!("/v1/jobs/{id}/cancel"))).await;
    app.deliverer().drain().await;
    assert_eq!(mine.kinds(), ["job.canceled"]);
    assert!(others.got().is_empty());
}

#[tokio::test]
async fn a_summary_is_sent_only_to_endpoints_that_include_it() {
    let app = TestApp::start().await;
    let [thin, rich] = [Receiver::start().await, Receiver::start().await];
    endpoint(&app, &thin.url(), &["job.completed"]).await;
    let (id, _) = endpoint(&app, &rich.url(), &["job.completed"]).await;
    let include = "update aftercall.endpoints set include = '{summary}' where id = $1";
    sqlx::query(include).bind(id).execute(&app.db.pool).await.unwrap();
    completed(&app).await;
    app.deliverer().drain().await;
    assert_eq!(thin.got()[0].json()["data"].get("summary"), None);
    let summary = rich.got()[0].json()["data"]["summary"].clone();
    assert!(summary.as_str().is_some_and(|text| !text.is_empty()), "{summary}");
}

#[tokio::test]
async fn old_notifications_are_deleted_with_their_attempts_and_unsent_ones_stay() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    endpoint(&app, &receiver.url(), &["job.submitted"]).await;
    for _ in 0..3 {
        app.submitted().await;
    }
    app.deliverer().drain().await;
    let age = "with old as (select id, row_number() over (order by id) as n from aftercall.notifications)
        update aftercall.notifications x
        set id = aftercall.uuid_v7(now() - interval '31 days'), finished_at = now() - interval '31 days'
        from old where x.id = old.id and n < 3";
    sqlx::query("delete from aftercall.notification_attempts").execute(&app.db.pool).await.unwrap();
    sqlx::query(age).execute(&app.db.pool).await.unwrap();
    let attempts = "insert into aftercall.notification_attempts (notification_id, number, outcome)
        select id, 1, 'answered' from aftercall.notifications";
    sqlx::query(attempts).execute(&app.db.pool).await.unwrap();
    let unsent =
        "update aftercall.notifications set state = 'pending', due_at = now(), finished_at = null
        where id = (select id from aftercall.notifications order by id limit 1)";
    sqlx::query(unsent).execute(&app.db.pool).await.unwrap();
    let retention = Retention {
        db: app.db.runtime.clone(),
        settings: RetentionSettings {
            partitions_ahead: 1,
            notifications: Some(Duration::from_hours(30 * 24)),
            ..RetentionSettings::default()
        },
        media: None,
        announcer: Announcer::default(),
        metrics: app.metrics.clone(),
    };
    let planned = retention.plan().await.unwrap().rows;
    assert_eq!(planned["notifications"], 1, "{planned:?}");
    let applied = retention.apply().await.unwrap().rows;
    assert_eq!((applied["notifications"], applied["notification_attempts"]), (1, 1));
    assert_eq!(app.count("select count(*) from aftercall.notifications").await, 2);
}
