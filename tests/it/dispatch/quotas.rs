//! Daily and monthly quotas of callers: no more submissions than they allow, and none lost to others.
use aftercall::{
    callers::{self, KeyTerms},
    dispatch::Dispatcher,
    jobs,
};
use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::app::{RECORDING, TestApp, seal};

async fn run(app: &TestApp, statement: &'static str) {
    sqlx::query(statement).execute(&app.db.pool).await.unwrap();
}

async fn used(app: &TestApp) -> (i64, i64) {
    let query =
        "select used_on_day, used_in_month from aftercall.caller_turns where caller = 'app'";
    sqlx::query_as(query).fetch_one(&app.db.pool).await.unwrap()
}

async fn submit(app: &TestApp, jobs: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..jobs {
        ids.push(app.submit().await);
    }
    ids
}

async fn today(app: &TestApp) -> NaiveDate {
    let query = "select (now() at time zone 'UTC')::date";
    sqlx::query_scalar(query).fetch_one(&app.db.pool).await.unwrap()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn eta(queue: &Value) -> DateTime<Utc> {
    queue["eta"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn two_replicas_never_exceed_a_quota_and_serve_the_others() {
    let app = TestApp::with(|settings| settings.dispatch.concurrency = 3).await;
    submit(&app, 20).await;
    callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    run(&app, "update aftercall.callers set daily_quota = 5 where name = 'app'").await;
    run(
        &app,
        "insert into aftercall.jobs (id, caller_id, request, due_at, deadline_at)
        select (left(aftercall.uuid_floor(now())::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid, c.id, '{}', now(), now() + interval '1 day'
        from aftercall.callers c, generate_series(1, 7) where c.name = 'other'",
    )
    .await;
    let options = PgPool::connect_options(&app.db.runtime);
    let other = PgPool::connect_lazy_with((*options).clone());
    let other = Dispatcher { db: other, ..app.dispatcher.clone() };
    let (mine, others) = tokio::join!(app.dispatcher.drain(), other.drain());
    assert_eq!(mine + others, 5 + 7);
    assert_eq!(used(&app).await, (5, 5));
    // The rest of the queue costs the gate nothing.
    assert!(!jobs::has_due(&app.db.runtime).await.unwrap());
    run(&app, "update aftercall.callers set daily_quota = 8 where name = 'app'").await;
    let (mine, others) = tokio::join!(app.dispatcher.drain(), other.drain());
    assert_eq!(mine + others, 3);
}

#[tokio::test]
async fn a_job_beyond_the_quota_says_so_and_goes_when_it_resets() {
    let app = TestApp::start().await;
    let ids = submit(&app, 6).await;
    run(&app, "update aftercall.callers set daily_quota = 2 where name = 'app'").await;
    let before = &app.job(ids[1]).await["queue"];
    assert_eq!((&before["position"], &before["reason"]), (&json!(2), &json!("turn")));
    let third = &app.job(ids[2]).await["queue"];
    let tomorrow = today(&app).await + Days::new(1);
    assert_eq!((&third["reason"], eta(third)), (&json!("quota"), midnight(tomorrow)));
    assert_eq!(app.dispatcher.drain().await, 2);
    let third = &app.job(ids[2]).await["queue"];
    assert_eq!((&third["position"], eta(third)), (&json!(1), midnight(tomorrow)));
    // Two a day: the last two wait for the day after.
    assert_eq!(eta(&app.job(ids[3]).await["queue"]), midnight(tomorrow));
    let last = &app.job(ids[5]).await["queue"];
    assert_eq!(eta(last), midnight(tomorrow + Days::new(1)));

    run(&app, "update aftercall.callers set counted_on = counted_on - 1").await;
    assert_eq!(app.dispatcher.drain().await, 2);
    assert_eq!(used(&app).await.0, 2);
    assert_eq!(app.dispatcher.drain().await, 0);
}

#[tokio::test]
async fn a_months_quota_outlasts_the_day() {
    let app = TestApp::start().await;
    let ids = submit(&app, 5).await;
    let set = "update aftercall.callers set daily_quota = 2, monthly_quota = 3 where name = 'app'";
    run(&app, set).await;
    assert_eq!(app.dispatcher.drain().await, 2);
    run(&app, "update aftercall.callers set used_on_day = 0").await;
    assert_eq!(app.dispatcher.drain().await, 1);
    let queue = &app.job(ids[4]).await["queue"];
    let month = today(&app).await.format("%Y-%m-01").to_string().parse::<NaiveDate>().unwrap();
    let reset = midnight(month + Months::new(1));
    assert_eq!((&queue["reason"], eta(queue)), (&json!("quota"), reset));
    run(&app, "update aftercall.callers set counted_on = counted_on - 31").await;
    assert_eq!(app.dispatcher.drain().await, 2);
    assert_eq!(used(&app).await, (2, 2));
}

#[tokio::test]
async fn only_what_the_provider_may_have_accepted_counts() {
    let app = TestApp::start().await;
    run(&app, "update aftercall.callers set daily_quota = 100, monthly_quota = 100").await;
    let refusal = |code: &str, name: &str| json!({ "errors": [{ "errorCode": code, "message": "no", "parameterName": name }] });
    let throttled = ResponseTemplate::new(429).insert_header("retry-after", "1");
    let invalid = refusal("CAI-101", "encoding");
    let answers = [
        (ResponseTemplate::new(503), "broken", 0),
        (throttled, "throttled", 0),
        (ResponseTemplate::new(404), "misdirected", 0),
        (ResponseTemplate::new(401), "unauthorized", 0),
        (ResponseTemplate::new(400).set_body_json(invalid), "refused", 0),
        (ResponseTemplate::new(504), "unknown", 1),
        (ResponseTemplate::new(202), "accepted", 2),
    ];
    for (answer, outcome, count) in answers {
        app.answer_submissions(answer).await;
        let id = app.submit().await;
        assert_eq!(app.dispatcher.drain().await, 1, "{outcome}");
        assert_eq!(app.attempt_outcomes(id).await, [outcome]);
        assert_eq!(used(&app).await, (count, count), "{outcome}");
        run(
            &app,
            "update aftercall.jobs set due_at = now() + interval '1 day' where state = 'queued'",
        )
        .await;
        let free = "update aftercall.provider_gate set blocked_until = null, refused_since = null,
            refused_class = null, refused_status = null, probe_at = null";
        run(&app, free).await;
    }
    // In flight, it counts as well: its process may die at any moment.
    app.submit().await;
    let mut tx = app.announcer.begin(&app.db.runtime).await.unwrap();
    let lease = std::time::Duration::from_mins(1);
    assert_eq!(jobs::claim(&mut tx, &seal(), "default", 9, lease).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    assert_eq!(used(&app).await, (3, 3));
}

#[tokio::test]
async fn what_is_given_back_goes_to_the_day_it_was_counted_in() {
    let app = TestApp::start().await;
    app.answer_submissions(ResponseTemplate::new(503)).await;
    app.submit().await;
    let mut tx = app.announcer.begin(&app.db.runtime).await.unwrap();
    let lease = std::time::Duration::from_mins(1);
    let claimed = jobs::claim(&mut tx, &seal(), "default", 1, lease).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    // Counted yesterday, in a month that is over; today others have counted.
    let later = "update aftercall.attempts set counted_on = counted_on - 40";
    run(&app, later).await;
    run(&app, "update aftercall.callers set used_on_day = 7, used_in_month = 9").await;
    let error = jobs::JobError::new(jobs::ErrorClass::Upstream, "as the test wants it");
    for _ in 0..2 {
        let mut tx = app.announcer.begin(&app.db.runtime).await.unwrap();
        let reason = jobs::RetryReason::Broken;
        jobs::release(&mut tx, &claimed, reason, lease, &error).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(used(&app).await, (7, 9));
    }
}

#[tokio::test]
async fn waiting_for_a_quota_does_not_move_the_deadline() {
    let app = TestApp::start().await;
    run(&app, "update aftercall.callers set daily_quota = 1").await;
    let ids = submit(&app, 2).await;
    assert_eq!(app.dispatcher.drain().await, 1);
    let soon = "update aftercall.jobs set deadline_at = now() + interval '1 second' where id = $1";
    app.about(ids[1], soon).await;
    let job = app.job(ids[1]).await;
    let deadline: DateTime<Utc> = job["deadlineAt"].as_str().unwrap().parse().unwrap();
    assert!(eta(&job["queue"]) > deadline, "{job}");
    app.pass_deadline(ids[1]).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(ids[1]).await["state"], "timed_out");
    assert_eq!(used(&app).await, (1, 1));
}

#[tokio::test]
async fn the_views_and_the_metrics_show_what_waits_for_a_quota() {
    let app = TestApp::start().await;
    run(&app, "update aftercall.callers set daily_quota = 1, weight = 3").await;
    let body = json!({ "contentUri": RECORDING, "encoding": "Wav" });
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.post("/v1/jobs", &body).await.id());
    }
    run(&app, "update aftercall.jobs set due_at = due_at - interval '1 hour'").await;
    assert_eq!(app.dispatcher.drain().await, 1);
    app.about(ids[1], "update aftercall.jobs set deadline_at = now() where id = $1").await;
    let later = "update aftercall.jobs set deadline_at = now() + interval '3 days' where id = $1";
    app.about(ids[2], later).await;
    let before = aftercall::samples::Samples {
        taken_at: DateTime::UNIX_EPOCH,
        values: aftercall::samples::Values::default(),
    };
    let mut tx = app.db.pool.begin().await.unwrap();
    let sample = aftercall::samples::gather(
        &mut tx,
        &aftercall::provider::Account::gates(&app.dispatcher.accounts),
        &before,
    )
    .await
    .unwrap();
    let value = |name: &str| sample.get(name, &[]).unwrap();
    assert_eq!(
        (value("aftercall_jobs_over_quota"), value("aftercall_queue_late_jobs")),
        (2.0, 1.0)
    );
    let idle = (value("aftercall_oldest_due_job_seconds"), value("aftercall_queue_eta_seconds"));
    assert_eq!(idle, (0.0, 0.0));
    let queue = "select array_agg(eta_at order by position) from reporting.queue_v1";
    let etas: Vec<DateTime<Utc>> = sqlx::query_scalar(queue).fetch_one(&mut *tx).await.unwrap();
    let said = [&app.job(ids[1]).await["queue"], &app.job(ids[2]).await["queue"]].map(eta);
    assert_eq!(etas, said);
    let columns =
        "select jsonb_build_array(weight, daily_quota, daily_used, monthly_quota, monthly_used)
        from reporting.callers_v1";
    let columns: Value = sqlx::query_scalar(columns).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(columns, json!([3, 1, 1, null, 1]));
}
