//! Credentials in the URLs of recordings are sealed in the database, and everything that needs the URL still has it.
mod expiry;
mod keys;
mod media_hosts;

use aftercall::{
    callers::{self, KeyTerms, Scope},
    config,
    jobs::{self, Announcer},
    metrics::Metrics,
    retention::Retention,
    rotation::Rotation,
    seal::{Keys, Place, Seal, forget},
};
use axum::http::{Request, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::{
    answer::Answer,
    app::{SEAL_KEY, TestApp, seal},
    fixture,
};

const SIGNED: &str = "https://me:hush@media.example/a%20b.wav?sig=hush%2F1&raw#part";
const SHOWN: &str = "https://***@media.example/a%20b.wav?sig=***&***";
const FRESH: &str = "https://media.example/a.wav?sig=hush-2";

async fn submit(app: &TestApp, uri: &str) -> Uuid {
    let answer = app.post("/v1/jobs", &json!({ "contentUri": uri, "encoding": "Wav" })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    answer.id()
}

/// The request and the sealed URL of the job.
async fn stored(app: &TestApp, id: Uuid) -> (Value, Option<Vec<u8>>) {
    let query = "select request, content_uri_sealed from aftercall.jobs where id = $1";
    sqlx::query_as(query).bind(id).fetch_one(&app.db.pool).await.unwrap()
}

/// The `contentUri` of each submission.
async fn sent(app: &TestApp) -> Vec<String> {
    let bodies = app.submissions().await.into_iter().map(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body["contentUri"].as_str().unwrap().to_owned()
    });
    bodies.collect()
}

/// Ends the job as if the provider had rejected it.
async fn fail(app: &TestApp, id: Uuid) {
    let errors = json!([{ "errorCode": "CAI-101", "message": "no", "parameterName": "encoding" }]);
    let rejection = ResponseTemplate::new(400).set_body_json(json!({ "errors": errors }));
    app.answer_submissions(rejection).await;
    app.dispatcher.drain().await;
    assert_eq!(app.job(id).await["state"], "failed");
    app.accept_submissions().await;
}

async fn apply_retention(app: &TestApp) {
    let settings = config::load(None).unwrap().settings.retention;
    let retention = Retention {
        db: app.db.runtime.clone(),
        settings,
        media: None,
        announcer: Announcer::default(),
        metrics: Metrics::default(),
    };
    retention.apply().await.unwrap();
}

async fn retry(app: &TestApp, id: Uuid, body: Value) -> Answer {
    app.post(&format!("/v1/jobs/{id}/retry"), &body).await
}

#[tokio::test]
async fn a_url_is_sealed_in_the_row_submitted_as_given_and_gone_with_the_end() {
    let app = TestApp::start().await;
    let id = submit(&app, SIGNED).await;
    let (request, sealed) = stored(&app, id).await;
    assert_eq!(request["contentUri"], SHOWN);
    assert_eq!(app.job(id).await["request"]["contentUri"], SHOWN);
    let opened = seal().open(Place { table: "jobs", row: id }, &sealed.unwrap()).unwrap();
    assert_eq!(*opened, SIGNED.as_bytes());

    let job = app.dispatched(id).await;
    assert_eq!(sent(&app).await, [SIGNED]);
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    assert_eq!(app.job(id).await["state"], "completed");
    assert_eq!(stored(&app, id).await.1, Some(Vec::new()));

    let canceled = submit(&app, SIGNED).await;
    app.post(&format!("/v1/jobs/{canceled}/cancel"), &json!({})).await;
    assert_eq!(stored(&app, canceled).await.1, Some(Vec::new()));
    let plain = submit(&app, "https://media.example/a.wav").await;
    assert_eq!(stored(&app, plain).await.1, None);
}

#[tokio::test]
async fn a_retry_submits_the_same_url_or_a_fresh_one() {
    let app = TestApp::start().await;
    let id = submit(&app, SIGNED).await;
    fail(&app, id).await;
    assert_eq!(retry(&app, id, json!({})).await.status, StatusCode::ACCEPTED);
    fail(&app, id).await;
    let answer = retry(&app, id, json!({ "contentUri": FRESH })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["request"]["contentUri"], "https://media.example/a.wav?sig=***");
    app.dispatcher.drain().await;
    assert_eq!(sent(&app).await, [SIGNED, SIGNED, FRESH]);
}

#[tokio::test]
async fn the_url_of_a_failed_job_goes_with_uploaded_recordings() {
    let app = TestApp::start().await;
    let id = submit(&app, SIGNED).await;
    fail(&app, id).await;
    app.about(
        id,
        "update aftercall.jobs set finished_at = now() - interval '6 days' where id = $1",
    )
    .await;
    apply_retention(&app).await;
    assert!(!stored(&app, id).await.1.unwrap().is_empty());
    app.about(
        id,
        "update aftercall.jobs set finished_at = now() - interval '8 days' where id = $1",
    )
    .await;
    apply_retention(&app).await;
    assert_eq!(stored(&app, id).await.1, Some(Vec::new()));
    let gone = retry(&app, id, json!({})).await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert_eq!(gone.json()["code"], "recording-expired");
    assert_eq!(app.job(id).await["state"], "failed");
    let answer = retry(&app, id, json!({ "contentUri": FRESH })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    app.dispatcher.drain().await;
    assert_eq!(sent(&app).await.last().unwrap(), FRESH);
}

#[tokio::test]
async fn a_fresh_url_must_be_one_and_the_job_must_have_had_one() {
    let app = TestApp::start().await;
    let id = submit(&app, SIGNED).await;
    fail(&app, id).await;
    let faults =
        retry(&app, id, json!({ "contentUri": "ftp://a.example", "url": 1 })).await.faults();
    assert_eq!(faults, ["#/contentUri scheme", "#/url unknown"]);
    assert_eq!(retry(&app, id, json!([])).await.faults(), ["# type"]);
    let content = json!({ "content": "AAAA", "encoding": "Wav" });
    let uploaded = app.post("/v1/jobs", &content).await.id();
    fail(&app, uploaded).await;
    let faults = retry(&app, uploaded, json!({ "contentUri": FRESH })).await.faults();
    assert_eq!(faults, ["#/contentUri conflict"]);
    assert_eq!(app.job(uploaded).await["state"], "failed");
}

#[tokio::test]
async fn what_an_earlier_release_stored_is_sealed_in_the_background() {
    let app = TestApp::start().await;
    let open = submit(&app, SIGNED).await;
    let over = submit(&app, SIGNED).await;
    app.post(&format!("/v1/jobs/{over}/cancel"), &json!({})).await;
    for id in [open, over] {
        // As before.
        let earlier = "update aftercall.jobs set content_uri_sealed = null,
            request = jsonb_set(request::jsonb, '{contentUri}', to_jsonb($2::text))::json where id = $1";
        sqlx::query(earlier).bind(id).bind(SIGNED).execute(&app.db.pool).await.unwrap();
    }
    assert_eq!(app.job(open).await["request"]["contentUri"], SHOWN);
    let rotation = Rotation { db: app.db.runtime.clone(), seal: seal() };
    assert_eq!(rotation.round().await.unwrap(), 2);
    assert_eq!(rotation.round().await.unwrap(), 0);
    let (request, sealed) = stored(&app, open).await;
    assert_eq!((&request["contentUri"], sealed.is_some()), (&json!(SHOWN), true));
    assert_eq!(stored(&app, over).await.1, Some(Vec::new()));
    app.dispatcher.drain().await;
    assert_eq!(sent(&app).await, [SIGNED]);
}

#[tokio::test]
async fn a_replica_of_an_earlier_release_cannot_claim_what_it_cannot_open() {
    let app = TestApp::start().await;
    let sealed = submit(&app, SIGNED).await;
    let plain = submit(&app, "https://media.example/a.wav").await;
    let earlier = "update aftercall.jobs set state = 'submitting', version = version + 1
        where state = 'queued' returning id";
    let claimed: Vec<Uuid> = sqlx::query_scalar(earlier).fetch_all(&app.db.runtime).await.unwrap();
    assert_eq!(claimed, [plain]);
    app.dispatched(sealed).await;
}

#[tokio::test]
async fn jobs_wait_for_a_process_with_their_key_and_fail_once_it_is_given_up() {
    let app = TestApp::start().await;
    let id = submit(&app, SIGNED).await;
    let rotation = Rotation { db: app.db.runtime.clone(), seal: seal() };
    rotation.round().await.unwrap();
    let other = Seal::new(Keys::parse(&Keys::new_line("other").unwrap()).unwrap());
    let mut dispatcher = app.dispatcher.clone();
    dispatcher.seal = other.clone();
    assert_eq!(dispatcher.drain().await, 0);
    assert_eq!(app.job(id).await["state"], "queued");

    forget(&app.db.runtime, "test").await.unwrap();
    assert_eq!(dispatcher.drain().await, 0);
    let job = app.job(id).await;
    assert_eq!((&job["state"], &job["error"]["class"]), (&json!("failed"), &json!("validation")));
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.contains("\"test\"") && message.contains("fresh contentUri"), "{message}");
    assert!(sent(&app).await.is_empty());
}

#[tokio::test]
async fn a_failure_that_may_quote_the_url_is_kept_sealed() {
    let app = TestApp::start().await;
    let id = submit(&app, SIGNED).await;
    let job = app.dispatched(id).await;
    let body = json!({ "status": "Fail", "response": { "errors": [
        { "errorCode": "CAI-101", "message": format!("cannot fetch {SIGNED}") }] } })
    .to_string();
    app.deliver(&job.webhook, body.clone()).await;
    let kept: Vec<u8> = sqlx::query_scalar("select body from aftercall.deliveries")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    assert!(!kept.windows(4).any(|bytes| bytes == b"hush"));
    let deliveries = "select id from aftercall.deliveries";
    let delivery: Uuid = sqlx::query_scalar(deliveries).fetch_one(&app.db.pool).await.unwrap();
    let operator =
        KeyTerms { scopes: &[Scope::AdminRead, Scope::TranscriptRaw], ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, "ops", "raw", operator).await.unwrap();
    let path = format!("/v1/admin/deliveries/{delivery}/body");
    let bearer = format!("Bearer {}", key.text.expose_secret());
    let request = Request::get(path).header("authorization", bearer);
    let shown = app.ask(request).await;
    assert_eq!(shown.body, body.as_bytes(), "as it was received");
}

#[tokio::test]
async fn a_rotation_moves_everything_to_the_first_key() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, "no json").await;
    let id = submit(&app, SIGNED).await;
    let lines = format!("{}{SEAL_KEY}", *Keys::new_line("new").unwrap());
    let both = Seal::new(Keys::parse(&lines).unwrap());
    let rotation = Rotation { db: app.db.runtime.clone(), seal: both.clone() };
    assert_eq!(rotation.sealed_with("test").await.unwrap(), 2);
    let mut moved = Vec::new();
    rotation.rotate(|done| moved.push((done.rows, done.unreadable))).await.unwrap();
    moved.retain(|batch| *batch != (0, 0));
    assert_eq!(moved, [(1, 0), (1, 0)]);
    assert_eq!(rotation.sealed_with("test").await.unwrap(), 0);
    assert_eq!(rotation.sealed_with("new").await.unwrap(), 2);
    let mut tx = app.db.runtime.begin().await.unwrap();
    let ids = [id.into()];
    let urls = jobs::recording_urls(&mut tx, &both, &ids).await.unwrap();
    assert!(urls[&ids[0]] == jobs::RecordingUrl::Given(SIGNED.to_owned()));
}
