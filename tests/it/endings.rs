//! The cause of a job's end is kept, and unreadable results are polled less and less often.
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::{app::TestApp, fixture};

fn overloaded() -> ResponseTemplate {
    let error = json!({ "errorCode": "CMN-201", "message": "temporarily unavailable" });
    ResponseTemplate::new(503).set_body_json(error)
}

async fn timed_out(app: &TestApp, id: Uuid) -> Value {
    app.pass_deadline(id).await;
    app.reconciler.round().await.unwrap();
    let job = app.job(id).await;
    assert_eq!(job["state"], "timed_out");
    assert_eq!(job["error"]["class"], "timeout");
    job["error"]["cause"].clone()
}

#[tokio::test]
async fn a_job_that_times_out_says_what_its_last_attempt_met() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    app.answer_submissions(overloaded()).await;
    app.dispatcher.drain().await;
    let cause = json!({
        "class": "upstream", "code": "CMN-201", "message": "temporarily unavailable", "retryable": true,
    });
    assert_eq!(timed_out(&app, id).await, cause);
}

#[tokio::test]
async fn a_job_that_times_out_says_that_its_result_could_not_be_read() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(ResponseTemplate::new(200).set_body_string("<html>")).await;
    app.deliver(&job.webhook, "{").await;
    app.reconciler.round().await.unwrap();
    let cause = timed_out(&app, job.id).await;
    assert_eq!(cause["class"], "upstream");
    let message = cause["message"].as_str().unwrap();
    assert!(
        message.starts_with("the delivered body is unusable: the body is not JSON"),
        "{message}"
    );
}

#[tokio::test]
async fn a_job_that_met_nothing_times_out_without_a_cause() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    assert_eq!(timed_out(&app, id).await, Value::Null);
}

#[tokio::test]
async fn the_providers_code_is_kept_on_the_attempt_and_in_the_timeline() {
    let app = TestApp::start().await;
    for (status, kind) in [(503, "requeued"), (502, "unconfirmed")] {
        let error = json!({ "errors": [{ "errorCode": "CMN-203", "message": "inner" }] });
        app.answer_submissions(ResponseTemplate::new(status).set_body_json(error)).await;
        let id = app.submit().await;
        app.dispatcher.drain().await;
        assert_eq!(app.timeline(id).await.last().unwrap(), kind);
        assert_eq!(app.last_event(id).await["code"], "CMN-203");
        let query = "select error ->> 'code' from aftercall.attempts where job_id = $1";
        let code: String =
            sqlx::query_scalar(query).bind(id).fetch_one(&app.db.pool).await.unwrap();
        assert_eq!(code, "CMN-203");
    }
}

#[tokio::test]
async fn a_failed_job_says_who_brought_the_news() {
    let app = TestApp::with(|settings| settings.dispatch.max_attempts = 1).await;
    let failure = fixture("seed/failure.json");
    let by_webhook = app.submitted().await;
    app.deliver(&by_webhook.webhook, failure.clone()).await;
    assert_eq!(app.last_event(by_webhook.id).await, json!({ "attempt": 1, "via": "webhook" }));

    let by_poll = app.submitted().await;
    app.answer_polls(ResponseTemplate::new(200).set_body_string(failure)).await;
    app.make_due(by_poll.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.last_event(by_poll.id).await, json!({ "attempt": 1, "via": "poll" }));

    let forgotten = app.submitted().await;
    app.answer_polls(ResponseTemplate::new(404)).await;
    app.make_due(forgotten.id).await;
    app.reconciler.round().await.unwrap();
    let told = json!({ "attempt": 1, "because": "forgotten", "via": "poll" });
    assert_eq!(app.last_event(forgotten.id).await, told);

    app.answer_submissions(overloaded()).await;
    let refused = app.submit().await;
    app.dispatcher.drain().await;
    let told = json!({ "attempt": 1, "via": "submission", "code": "CMN-201" });
    assert_eq!(app.last_event(refused).await, told);

    app.answer_submissions(ResponseTemplate::new(504)).await;
    let unconfirmed = app.submit().await;
    app.dispatcher.drain().await;
    app.make_due(unconfirmed).await;
    app.reconciler.round().await.unwrap();
    let told = json!({ "because": "unknown", "via": "presumed" });
    assert_eq!(app.last_event(unconfirmed).await, told);
}

/// Seconds until the next poll of the job.
async fn wait(app: &TestApp, id: Uuid) -> f64 {
    let query =
        "select extract(epoch from due_at - now())::float8 from aftercall.jobs where id = $1";
    sqlx::query_scalar(query).bind(id).fetch_one(&app.db.pool).await.unwrap()
}

#[tokio::test]
async fn what_cannot_be_read_is_asked_for_less_and_less_often_and_kept_once() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let after = app.reconciler.settings.after.as_secs_f64();
    app.answer_polls(ResponseTemplate::new(200).set_body_string("<html>")).await;
    for times in [2.0, 4.0, 8.0] {
        app.make_due(job.id).await;
        app.reconciler.round().await.unwrap();
        let wait = wait(&app, job.id).await;
        assert!((after * times * 0.9..=after * times).contains(&wait), "{times} times: {wait}");
    }
    assert_eq!(app.polls().await.len(), 3);
    assert_eq!(app.delivery_outcomes(job.id).await, ["malformed"], "once in quarantine");
    let events = ["queued", "submitting", "submitted", "delivery"];
    assert_eq!(app.timeline(job.id).await, events);

    // The wait never exceeds the deadline, when the job is polled once more.
    let near = "update aftercall.jobs set deadline_at = now() + interval '1 minute',
        due_at = now() - interval '1 s' where id = $1";
    app.about(job.id, near).await;
    app.reconciler.round().await.unwrap();
    assert!(wait(&app, job.id).await <= 60.0);
    let cause = timed_out(&app, job.id).await;
    assert_eq!(app.polls().await.len(), 5);
    assert_eq!(cause["class"], "upstream");
}

#[tokio::test]
async fn an_answer_that_can_be_read_after_all_completes_the_job() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    for body in ["<html>".to_owned(), fixture("seed/success.json")] {
        app.answer_polls(ResponseTemplate::new(200).set_body_string(body)).await;
        app.make_due(job.id).await;
        app.reconciler.round().await.unwrap();
    }
    assert_eq!(app.job(job.id).await["state"], "completed");
}
