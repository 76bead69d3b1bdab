//! One request says how the service is doing, with the numbers of the sampled metrics.
use aftercall::{callers::Scope, samples};
use axum::http::StatusCode;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{OPERATOR, Operator};
use crate::{notify, support::app::TestApp};

const PATH: &str = "/v1/admin/overview";

async fn now(app: &TestApp, statements: &[&'static str]) {
    let forget = "update aftercall.service_samples set taken_at = now() - interval '20 s'
        where taken_at > 'epoch'";
    for statement in statements.iter().chain([&forget]) {
        sqlx::query(*statement).execute(&app.db.pool).await.unwrap();
    }
}

fn problems(view: &Value) -> Vec<&str> {
    view["problems"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_idle_service_has_no_problems() {
    let app = TestApp::with(|settings| settings.provider.gate.limit = 10).await;
    let view = Operator::new(&app, OPERATOR).await.get(PATH).await.json();
    assert_eq!(view["problems"], json!([]));
    let none = json!({ "count": 0, "oldestSeconds": 0.0 });
    let jobs = json!({
        "queued": none, "submitting": none, "submitted": none, "unconfirmedAttempts": 0,
    });
    assert_eq!(view["jobs"], jobs);
    assert_eq!(view["lastDay"], json!({ "completed": 0, "failed": 0 }));
    let deadlines = json!({ "nextSeconds": null, "dueWithinHour": 0, "lateJobs": 0 });
    assert_eq!(view["deadlines"], deadlines);
    assert_eq!(view["provider"]["rateRemaining"], 10);
    assert_eq!(view["webhook"]["selfTest"], Value::Null);
    let notifications = json!({ "backlog": 0, "oldestDueSeconds": 0.0, "stoppedEndpoints": 0 });
    assert_eq!(view["notifications"], notifications);
    assert!(view["database"]["bytes"].as_u64().unwrap() > 1_000_000);
    assert!(view["database"]["partitionDaysAhead"].as_f64().unwrap() > 28.0);
}

#[tokio::test]
async fn what_waits_and_what_failed_is_counted_and_named_as_a_problem() {
    let app = TestApp::with(|settings| settings.provider.gate.limit = 1).await;
    let reader = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, "{".to_owned()).await;
    for _ in 0..3 {
        app.submit().await;
    }
    now(
        &app,
        &[
            "update aftercall.jobs set created_at = now() - interval '2 h' where state = 'queued'",
            "update aftercall.jobs set deadline_at = now() + interval '90 s' where state = 'queued'",
            "update aftercall.hook_test set tested_at = now(), is_up = false, seconds = 0.5,
                fault = 'responded with 502 Bad Gateway instead of 200'",
            "update aftercall.provider_gate set blocked_until = now() + interval '1 h'",
        ],
    )
    .await;
    let view = reader.get(PATH).await.json();
    assert_eq!(view["jobs"]["queued"]["count"], 3);
    assert!(view["jobs"]["queued"]["oldestSeconds"].as_f64().unwrap() >= 7200.0);
    assert_eq!(view["jobs"]["submitted"]["count"], 1);
    assert_eq!(view["deadlines"]["dueWithinHour"], 3);
    assert_eq!(view["deadlines"]["lateJobs"], 3);
    assert_eq!(view["webhook"]["quarantined"], 1);
    assert_eq!(view["webhook"]["selfTest"]["isUp"], false);
    let told = problems(&view);
    for (text, at) in [
        ("the provider's rate limit was exceeded: no calls for another 59 min", 0),
        ("3 queued jobs cannot be submitted before the deadline", 1),
        ("3 jobs will time out within the hour", 2),
        ("the public webhook URL fails: responded with 502 Bad Gateway", 3),
        ("1 delivery in quarantine, the oldest for", 4),
    ] {
        assert!(told[at].starts_with(text), "{told:#?}");
    }

    app.answer_submissions(ResponseTemplate::new(401)).await;
    let unblocked = "update aftercall.provider_gate set blocked_until = null";
    let new_window = "update aftercall.provider_calls set made_at = made_at - interval '1 hour'";
    now(&app, &[unblocked, new_window]).await;
    app.dispatcher.drain().await;
    now(&app, &[]).await;
    let view = reader.get(PATH).await.json();
    assert!(problems(&view)[0].starts_with("the provider has rejected every job"), "{view:#}");
}

#[tokio::test]
async fn messages_that_are_late_and_endpoints_that_stopped_are_problems() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    notify::endpoint(&app, "https://one.example/", &["job.submitted"]).await;
    app.submitted().await;
    let (stopped, _) = notify::endpoint(&app, "https://two.example/", &["job.failed"]).await;
    sqlx::query(
        "update aftercall.endpoints set state = 'disabled', paused_at = now(), pause_reason = 'gone'
            where id = $1",
    )
    .bind(stopped)
    .execute(&app.db.pool)
    .await
    .unwrap();
    now(&app, &["update aftercall.notifications set due_at = now() - interval '301 s'"]).await;
    let view = reader.get(PATH).await.json();
    assert_eq!(view["notifications"]["backlog"], 1);
    assert!(view["notifications"]["oldestDueSeconds"].as_f64().unwrap() > 300.0);
    assert_eq!(view["notifications"]["stoppedEndpoints"], 1);
    let told = problems(&view);
    assert!(told[0].starts_with("a message to an endpoint has been due for 5 min"), "{told:#?}");
    assert_eq!(told[1], "1 endpoint paused after failing: nothing is sent there");
}

#[tokio::test]
async fn what_ended_in_the_last_day_is_counted_and_many_failures_are_a_problem() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    let ended = "insert into aftercall.hour_changes (subject, hour, caller_id, outcome, error_class, counted)
        select 'job_ended', date_trunc('hour', now(), 'UTC') - ago, c.id, outcome, class, counted
        from aftercall.callers c, (values
            (interval '0', 'completed', '', 18), ('23 hours', 'timed_out', 'timeout', 1),
            ('2 hours', 'failed', 'validation', 7), ('0', 'canceled', '', 5), ('26 hours', 'failed', 'media', 9)
        ) as of (ago, outcome, class, counted)
        where c.name = 'app'";
    now(&app, &[ended]).await;
    let view = reader.get(PATH).await.json();
    assert_eq!(view["lastDay"], json!({ "completed": 18, "failed": 1 }));
    assert_eq!(problems(&view), <[&str; 0]>::default(), "of so few, one says nothing");
    let another = "update aftercall.hour_changes set counted = 2 where outcome = 'timed_out'";
    now(&app, &[another]).await;
    let view = reader.get(PATH).await.json();
    assert_eq!(problems(&view), ["2 of the 20 jobs that ended in the last day failed"]);
}

#[tokio::test]
async fn the_numbers_are_those_of_the_sample() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    app.submit().await;
    let first = reader.get(PATH).await.json();
    app.submit().await;
    let again = reader.get(PATH).await.json();
    assert_eq!(first["sampledAt"], again["sampledAt"], "sampled at most every 15 seconds");
    assert_eq!(again["jobs"]["queued"]["count"], 1);
    let sample = samples::latest(&app.db.pool).await.unwrap().unwrap();
    assert_eq!(sample.values.get("aftercall_jobs", &[("status", "queued")]), Some(1.0));
    now(&app, &[]).await;
    assert_eq!(reader.get(PATH).await.json()["jobs"]["queued"]["count"], 2);
}

#[tokio::test]
async fn it_takes_a_key_that_may_see_it() {
    let app = TestApp::start().await;
    assert_eq!(app.get(PATH).await.status, StatusCode::FORBIDDEN);
    let writer = Operator::new(&app, &[Scope::AdminWrite]).await;
    assert_eq!(writer.get(PATH).await.status, StatusCode::FORBIDDEN);
}
