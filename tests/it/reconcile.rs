//! Everything the webhook does not deliver: polls, lost attempts, deadlines.
use aftercall::jobs;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::{
    app::{Submitted, TestApp, webhook_of},
    fixture,
};

fn finished(job: &Submitted) -> ResponseTemplate {
    let body = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    ResponseTemplate::new(200).set_body_string(body)
}

fn in_progress() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "jobId": "rc-1", "status": "InProgress" }))
}

async fn state(app: &TestApp, id: Uuid) -> Value {
    app.job(id).await["state"].clone()
}

#[tokio::test]
async fn a_job_that_is_not_overdue_is_left_alone() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.reconciler.round().await.unwrap();
    assert!(app.polls().await.is_empty());
    assert_eq!(app.job(job.id).await["version"], 3);
}

#[tokio::test]
async fn an_overdue_job_is_completed_by_a_poll() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(finished(&job)).await;
    app.make_due(job.id).await;
    app.reconciler.round().await.unwrap();
    let view = app.job(job.id).await;
    assert_eq!((&view["state"], &view["completedVia"]), (&json!("completed"), &json!("poll")));
    let polls = app.polls().await;
    assert_eq!(polls[0].url.path(), format!("/ai/status/v1/jobs/{}", job.provider_job_id));
    assert_eq!(app.last_event(job.id).await["via"], "poll");
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    assert_eq!(result["utteranceInsights"][1]["start"], 4.800_000_000_000_001);

    // The late webhook delivers nothing new.
    let late = fixture("seed/success.json");
    assert_eq!(app.deliver(&job.webhook, late).await.status, 200);
    assert_eq!(app.delivery_outcomes(job.id).await, ["accepted", "superseded"]);
}

#[tokio::test]
async fn a_result_that_postgres_does_not_take_holds_up_no_other_job() {
    let app = TestApp::start().await;
    let (spoilt, late) = (app.submitted().await, app.submit().await);
    app.answer_polls(finished(&spoilt)).await;
    let refuse = "create function aftercall.refuse() returns trigger language plpgsql as $$ begin
            raise 'too large for the index' using errcode = '54000'; end $$;
        create trigger refuse before insert on aftercall.results
            for each row execute function aftercall.refuse()";
    sqlx::raw_sql(refuse).execute(&app.db.pool).await.unwrap();
    app.make_due(spoilt.id).await;
    app.pass_deadline(late).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, late).await, "timed_out");
    assert_eq!(state(&app, spoilt.id).await, "submitted");
    assert_eq!(app.delivery_outcomes(spoilt.id).await, ["malformed"]);
}

#[tokio::test]
async fn a_job_still_at_work_is_asked_for_again_later() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(in_progress()).await;
    app.make_due(job.id).await;
    app.reconciler.round().await.unwrap();
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 1);
    assert_eq!(state(&app, job.id).await, "submitted");
    assert!(app.delivery_outcomes(job.id).await.is_empty());
    app.make_due(job.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 2);
}

#[tokio::test]
async fn a_failure_is_learned_by_a_poll() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let failure = fixture("seed/failure.json");
    app.answer_polls(ResponseTemplate::new(200).set_body_string(failure)).await;
    app.make_due(job.id).await;
    app.reconciler.round().await.unwrap();
    let view = app.job(job.id).await;
    assert_eq!((&view["state"], &view["error"]["code"]), (&json!("failed"), &json!("CAI-101")));
}

#[tokio::test]
async fn a_job_that_the_provider_forgot_is_sent_again() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(ResponseTemplate::new(404)).await;
    app.make_due(job.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, job.id).await, "queued");
    assert_eq!(app.last_event(job.id).await["because"], "forgotten");
    assert_eq!(app.dispatcher.drain().await, 1);
    assert_eq!(app.attempt_outcomes(job.id).await, ["accepted", "accepted"]);
    // Results of the first attempt still count.
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    assert_eq!(state(&app, job.id).await, "completed");
}

#[tokio::test]
async fn other_answers_to_a_poll_change_nothing() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    for status in [400, 403, 500, 503] {
        app.answer_polls(ResponseTemplate::new(status)).await;
        app.make_due(job.id).await;
        app.reconciler.round().await.unwrap();
        assert_eq!(app.job(job.id).await["version"], 3, "{status}");
    }
    app.answer_polls(ResponseTemplate::new(200).set_body_string("<html>")).await;
    app.make_due(job.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.delivery_outcomes(job.id).await, ["malformed"]);
    assert_eq!(state(&app, job.id).await, "submitted");
}

#[tokio::test]
async fn equal_bytes_of_a_poll_and_a_webhook_of_one_attempt_are_one() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(ResponseTemplate::new(200).set_body_string("<html>")).await;
    app.deliver(&job.webhook, "<html>").await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 1);
    let bodies = "select count(*) from aftercall.deliveries where body is not null";
    assert_eq!(app.count(bodies).await, 1);
    let outcomes = app.delivery_outcomes(job.id).await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome != "duplicate").count(), 1);
}

#[tokio::test]
async fn a_malformed_webhook_makes_the_poll_due_at_once() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(finished(&job)).await;
    app.deliver(&job.webhook, "{").await;
    app.reconciler.round().await.unwrap();
    let view = app.job(job.id).await;
    assert_eq!((&view["state"], &view["completedVia"]), (&json!("completed"), &json!("poll")));
}

#[tokio::test]
async fn the_deadline_comes_after_one_last_question() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(in_progress()).await;
    app.pass_deadline(job.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 1);
    let view = app.job(job.id).await;
    assert_eq!((&view["state"], &view["error"]["class"]), (&json!("timed_out"), &json!("timeout")));
    assert_eq!(app.timeline(job.id).await.last().unwrap(), "timed_out");
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 1);
}

#[tokio::test]
async fn the_last_question_may_bring_the_result() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(finished(&job)).await;
    app.pass_deadline(job.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, job.id).await, "completed");
}

#[tokio::test]
async fn no_job_times_out_before_its_last_question() {
    let app = TestApp::start().await;
    let (first, second) = (app.submitted().await, app.submitted().await);
    app.answer_polls(ResponseTemplate::new(429)).await;
    for job in [&first, &second] {
        app.pass_deadline(job.id).await;
    }
    // The first poll gets a 429, so the second is not sent at all.
    app.reconciler.round().await.unwrap();
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 1);
    let states = [state(&app, first.id).await, state(&app, second.id).await];
    assert!(states.contains(&json!("submitted")), "{states:?}");
}

#[tokio::test]
async fn a_malformed_webhook_past_the_deadline_does_not_replace_the_last_question() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.pass_deadline(job.id).await;
    app.deliver(&job.webhook, "{").await;
    sqlx::query("update aftercall.provider_gate set blocked_until = now() + interval '1 h'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, job.id).await, "submitted");
}

#[tokio::test]
async fn queued_and_unconfirmed_jobs_time_out_too() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    app.pass_deadline(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, id).await, "timed_out");
    assert_eq!(app.dispatcher.drain().await, 0);
    assert_eq!(app.timeline(id).await, ["queued", "timed_out"]);
}

#[tokio::test]
async fn a_job_that_somebody_is_changing_is_passed_over() {
    let app = TestApp::start().await;
    let (held, other) = (app.submit().await, app.submit().await);
    for id in [held, other] {
        app.pass_deadline(id).await;
    }
    let mut holder = app.db.pool.begin().await.unwrap();
    jobs::lock(&mut holder, &[held.into()]).await.unwrap();
    app.reconciler.round().await.unwrap();
    assert_eq!(
        (state(&app, held).await, state(&app, other).await),
        ("queued".into(), "timed_out".into())
    );
    holder.rollback().await.unwrap();
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, held).await, "timed_out");
}

#[tokio::test]
async fn a_late_success_completes_a_job_that_timed_out() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.answer_polls(in_progress()).await;
    app.pass_deadline(job.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, job.id).await, "timed_out");
    let answer = app.deliver(&job.webhook, fixture("seed/success.json")).await;
    assert_eq!(answer.status, 200);
    let view = app.job(job.id).await;
    assert_eq!((&view["state"], &view["error"]), (&json!("completed"), &json!(null)));
    let event = json!({ "attempt": 1, "via": "webhook", "late": true });
    assert_eq!(app.last_event(job.id).await, event);
    assert_eq!(app.delivery_outcomes(job.id).await, ["accepted"]);
}

#[tokio::test]
async fn a_late_success_completes_a_job_that_failed_only_in_our_opinion() {
    let app = TestApp::with(|settings| settings.dispatch.max_attempts = 1).await;
    let forgotten = app.submitted().await;
    app.answer_polls(ResponseTemplate::new(404)).await;
    app.make_due(forgotten.id).await;
    app.reconciler.round().await.unwrap();
    let mut jobs = vec![(forgotten.id, forgotten.webhook, "completed")];
    let refusal = json!({ "errors": [{ "errorCode": "CAI-101", "message": "No", "parameterName": "contentUri" }] });
    for (status, end) in [(500, "completed"), (400, "failed")] {
        let answer = ResponseTemplate::new(status).set_body_json(&refusal);
        app.answer_submissions(answer).await;
        let id = app.submit().await;
        assert_eq!(app.dispatcher.drain().await, 1);
        jobs.push((id, webhook_of(app.submissions().await.last().unwrap()), end));
    }
    for (id, webhook, end) in jobs {
        assert_eq!(state(&app, id).await, "failed");
        app.deliver(&webhook, fixture("seed/success.json")).await;
        assert_eq!(state(&app, id).await, end);
        assert_eq!(app.last_event(id).await["late"] == true, end == "completed");
    }
}

#[tokio::test]
async fn polls_leave_room_for_submissions() {
    let app = TestApp::with(|settings| settings.reconcile.after *= 2).await;
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(app.submitted().await);
    }
    app.answer_polls(in_progress()).await;
    let mut reconciler = app.reconciler.clone();
    reconciler.accounts[0].gate.limit = 10;
    for job in &jobs {
        app.make_due(job.id).await;
    }
    app.submit().await;
    // Four of ten calls are used and a submission waits, so polls get a fifth of ten.
    reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 2);
    assert_eq!(app.dispatcher.drain().await, 1);
    reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 4);
}

#[tokio::test]
async fn a_429_ends_the_round_and_closes_the_gate() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        let job = app.submitted().await;
        app.make_due(job.id).await;
    }
    let slow_down = ResponseTemplate::new(429).insert_header("Retry-After", "37");
    app.answer_polls(slow_down).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 1);
    let blocked = "select count(*) from aftercall.provider_gate
        where blocked_until between now() + interval '30 s' and now() + interval '37 s'";
    assert_eq!(app.count(blocked).await, 1);
    // Polls that were not sent are not counted either.
    assert_eq!(app.count("select polls_total from aftercall.provider_gate").await, 1);
    app.submit().await;
    assert_eq!(app.dispatcher.drain().await, 0);
}
