//! `dedupe` and `overQuota`: what a submission gets instead of a job that would be paid for again, or would wait.
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{answer::Answer, app::TestApp, fixture};

const ALL_JOBS: &str = "select count(*) from aftercall.jobs";

fn body(query: &str) -> Value {
    let uri = format!("https://media.example/calls/42.wav?{query}");
    json!({ "contentUri": uri, "encoding": "Wav", "dedupe": "contentUri" })
}

async fn post(app: &TestApp, body: &Value) -> Answer {
    app.post("/v1/jobs", body).await
}

fn is_same(answer: &Answer, id: Uuid) {
    assert_eq!((answer.status, answer.id()), (StatusCode::OK, id));
    assert_eq!(answer.header("deduplicated"), "true");
    assert_eq!(answer.header("location"), format!("/v1/jobs/{id}"));
}

/// Completes the job.
async fn complete(app: &TestApp, id: Uuid) {
    let job = app.dispatched(id).await;
    let done = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    assert_eq!(app.deliver(&job.webhook, done).await.status, StatusCode::OK);
    assert_eq!(app.job(id).await["state"], "completed");
}

#[tokio::test]
async fn the_job_of_the_same_recording_is_returned_until_its_result_is_gone() {
    let app = TestApp::start().await;
    let first = post(&app, &body("id=1&X-Amz-Date=20260501T000000Z&X-Amz-Signature=old")).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert!(!first.headers.contains_key("deduplicated"));
    let again = body("id=1&X-Amz-Date=20260502T000000Z&X-Amz-Signature=new");
    let live = post(&app, &again).await;
    is_same(&live, first.id());
    assert_eq!(live.header("etag"), "W/\"1\"");
    assert_eq!(live.json()["state"], "queued");
    complete(&app, first.id()).await;
    is_same(&post(&app, &again).await, first.id());
    assert_eq!(app.count(ALL_JOBS).await, 1);

    let expire = "update aftercall.jobs set result_expired_at = now() where id = $1";
    app.about(first.id(), expire).await;
    let second = post(&app, &again).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    let cancel = app.request("POST", &format!("/v1/jobs/{}/cancel", second.id()));
    assert_eq!(app.ask(cancel).await.status, StatusCode::OK);
    assert_eq!(post(&app, &again).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn another_recording_another_request_and_another_caller_make_jobs_of_their_own() {
    let app = TestApp::start().await;
    let first = post(&app, &body("id=1")).await;
    let mut tagged = body("id=1&token=hush");
    tagged["tags"] = json!(["other"]);
    is_same(&post(&app, &tagged).await, first.id());
    let mut other = body("id=1");
    other["insights"] = json!(["Emotion"]);
    for different in [body("id=2"), other] {
        assert_eq!(post(&app, &different).await.status, StatusCode::ACCEPTED);
    }
    // Without the member, a job is created, and later submissions with it find the newest.
    let mut plain = body("id=1");
    plain.as_object_mut().unwrap().remove("dedupe");
    let plain = post(&app, &plain).await;
    assert_eq!(plain.status, StatusCode::ACCEPTED);
    is_same(&post(&app, &body("id=1")).await, plain.id());

    let give = "update aftercall.jobs set caller_id = (select id from aftercall.callers where name = 'other')";
    let other = aftercall::callers::KeyTerms::default();
    aftercall::callers::create(&app.db.pool, "other", "test", other).await.unwrap();
    sqlx::query(give).execute(&app.db.pool).await.unwrap();
    assert_eq!(post(&app, &body("id=1")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn identical_requests_at_the_same_moment_on_two_replicas_make_one_job() {
    let app = TestApp::start().await;
    let other = app.another_api().await;
    for round in 0..5 {
        let body = body(&format!("id={round}"));
        let post_to = async |n: usize| {
            let request = Request::post("/v1/jobs")
                .header(header::AUTHORIZATION, format!("Bearer {}", app.key))
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string()))
                .unwrap();
            Answer::of(if n.is_multiple_of(2) { &app.api } else { &other }, request).await
        };
        let answers = join_all((0..8).map(post_to)).await;
        let created = answers.iter().filter(|it| it.status == StatusCode::ACCEPTED).count();
        assert_eq!(created, 1);
        assert!(answers.iter().all(|it| it.id() == answers[0].id()));
    }
    assert_eq!(app.count(ALL_JOBS).await, 5);
}

#[tokio::test]
async fn batches_with_the_same_recordings_in_any_order_make_each_once() {
    let app = TestApp::start().await;
    let items: Vec<_> = (0..6).map(|id| body(&format!("id={id}"))).collect();
    let send = async |n: usize| {
        let mut jobs = items.clone();
        jobs.rotate_left(n);
        jobs.push(items[0].clone());
        let request = app.request("POST", "/v1/jobs/batch");
        let request = request.header("idempotency-key", format!("b-{n}"));
        app.send(request, json!({ "jobs": jobs }).to_string()).await
    };
    for answer in join_all((0..4).map(send)).await {
        assert_eq!(answer.status, StatusCode::OK);
        let answer = answer.json();
        let data = answer["data"].as_array().unwrap();
        assert_eq!(data.len(), 7);
        assert!(data.iter().all(|item| item["status"] == 202 || item["status"] == 200), "{answer}");
        assert_eq!(data[6]["status"], 200);
    }
    assert_eq!(app.count(ALL_JOBS).await, 6);
}

#[tokio::test]
async fn the_same_upload_is_submitted_once() {
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    let body = json!({ "media": media, "dedupe": "media" });
    let first = post(&app, &body).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    is_same(&post(&app, &body).await, first.id());
    let filled_in = json!({ "media": media, "encoding": "Wav", "dedupe": "media" });
    is_same(&post(&app, &filled_in).await, first.id());
    let other = json!({ "media": media, "dedupe": "media", "insights": ["Emotion"] });
    assert_eq!(post(&app, &other).await.status, StatusCode::ACCEPTED);
    let wrong = json!({ "media": media, "dedupe": "contentUri" });
    let problem = post(&app, &wrong).await.problem(422, "validation-failed");
    assert_eq!(problem["errors"][0]["pointer"], "#/dedupe");
    let request = app.request("POST", "/v1/jobs/batch").header("idempotency-key", "b");
    let batch = app.send(request, json!({ "jobs": [body] }).to_string()).await.json();
    assert_eq!(batch["data"][0]["status"], 200, "{batch}");
    assert_eq!(app.count(ALL_JOBS).await, 2);
}

#[tokio::test]
async fn an_idempotency_key_replays_what_it_got() {
    let app = TestApp::start().await;
    let first = post(&app, &body("id=1")).await;
    let send = async || {
        let request = app.request("POST", "/v1/jobs").header("idempotency-key", "k");
        app.send(request, body("id=1").to_string()).await
    };
    let got = send().await;
    is_same(&got, first.id());
    assert!(!got.headers.contains_key("idempotent-replayed"));
    complete(&app, first.id()).await;
    let replayed = send().await;
    is_same(&replayed, first.id());
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    assert_eq!(replayed.body, got.body);
    assert_eq!(app.count(ALL_JOBS).await, 1);
}

#[tokio::test]
async fn wrong_members_are_named() {
    let app = TestApp::start().await;
    let wrong = json!({ "content": "AAAA", "encoding": "Wav", "dedupe": "contentUri", "overQuota": "drop" });
    let problem = post(&app, &wrong).await.problem(422, "validation-failed");
    let faults = problem["errors"].as_array().unwrap().iter();
    let faults: Vec<_> = faults.map(|fault| (&fault["pointer"], &fault["code"])).collect();
    let expected = [(json!("#/overQuota"), json!("enum")), (json!("#/dedupe"), json!("conflict"))];
    assert_eq!(faults, expected.each_ref().map(|(pointer, code)| (pointer, code)));
    let null = json!({ "content": "AAAA", "encoding": "Wav", "dedupe": null, "overQuota": null });
    assert_eq!(post(&app, &null).await.status, StatusCode::ACCEPTED);
    assert_eq!(app.count(ALL_JOBS).await, 1);
}

#[tokio::test]
async fn a_submission_that_would_wait_for_a_quota_may_be_rejected() {
    let app = TestApp::start().await;
    let set = "update aftercall.callers set daily_quota = 2 where name = 'app'";
    sqlx::query(set).execute(&app.db.pool).await.unwrap();
    let reject = |id: usize| {
        json!({ "contentUri": format!("https://media.example/{id}.wav"), "encoding": "Wav",
            "overQuota": "reject", "dedupe": "contentUri" })
    };
    for id in 0..2 {
        assert_eq!(post(&app, &reject(id)).await.status, StatusCode::ACCEPTED);
    }
    // Nothing is submitted yet, but the queue takes all that is left.
    let refused = post(&app, &reject(2)).await;
    let problem = refused.problem(429, "quota-exhausted");
    assert!(problem["detail"].as_str().unwrap().contains("T00:00:00Z"), "{problem}");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    let until = "select ceil(extract(epoch from date_trunc('day', now(), 'UTC') + interval '1 day' - now()))::int8";
    assert!((wait - app.count(until).await).abs() <= 5, "{wait}");
    // What exists costs nothing.
    assert_eq!(post(&app, &reject(1)).await.status, StatusCode::OK);
    assert_eq!(app.dispatcher.drain().await, 2);
    post(&app, &reject(2)).await.problem(429, "quota-exhausted");

    let request = app.request("POST", "/v1/jobs/batch").header("idempotency-key", "b");
    let mut wait = reject(3);
    wait["overQuota"] = json!("wait");
    let batch = json!({ "jobs": [reject(2), wait, reject(0)] });
    let answer = app.send(request, batch.to_string()).await.json();
    let items = answer["data"].as_array().unwrap();
    let statuses: Vec<_> = items.iter().map(|item| item["status"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [429, 202, 200]);
    assert_eq!(items[0]["problem"]["code"], "quota-exhausted");
    assert_eq!(app.count(ALL_JOBS).await, 3);
}
