//! The provider's error texts may quote our webhook URL and the credentials in the recording's URL. They must be
//! redacted wherever the texts are stored or shown.
use axum::http::StatusCode;
use serde_json::{Value, json};
use url::{Url, form_urlencoded::byte_serialize};
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::app::TestApp;

const RECORDING: &str =
    "https://hush-user:hush-pass@media.example/a.wav?access_token=hush%2Ftoken&sig=hush#hush-part";

/// A job whose recording URL contains credentials.
async fn submit(app: &TestApp) -> Uuid {
    let body = json!({ "contentUri": RECORDING, "encoding": "Wav" });
    app.post("/v1/jobs", &body).await.id()
}

/// The webhook URL that was last sent to the provider.
async fn webhook(app: &TestApp) -> Url {
    let sent = app.submissions().await;
    let (_, url) = sent.last().unwrap().url.query_pairs().next().unwrap();
    Url::parse(&url).unwrap()
}

/// An error that quotes everything, in every possible escaping.
fn telling(webhook: &str) -> Value {
    let percent: String = byte_serialize(format!("{webhook} {RECORDING}").as_bytes()).collect();
    let json = format!("{webhook} {RECORDING}").replace('/', "\\/").replace('&', "\\u0026");
    let token = webhook.rsplit_once('/').unwrap().1;
    let said =
        format!("no {webhook} {RECORDING} {percent} {json} {token} {} end", "x".repeat(3000));
    json!({ "errors": [
        { "errorCode": "CAI-101", "message": format!("cannot use {said}"), "parameterName": RECORDING },
        { "errorCode": format!("CAI {token}"), "message": said, "parameterName": webhook },
    ]})
}

/// Everything stored and shown about the job, except the request, which the provider needs, and the original bytes.
async fn told(app: &TestApp, id: Uuid) -> Vec<(&'static str, String)> {
    let get = async |path: String| {
        let answer = app.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    let row = async |query: &'static str| -> String {
        sqlx::query_scalar(query).bind(id).fetch_one(&app.db.pool).await.unwrap()
    };
    let attempts =
        "select coalesce(string_agg(a::text, ' '), '') from aftercall.attempts a where job_id = $1";
    let events = "select string_agg(e::text, ' ') from aftercall.job_events e where job_id = $1";
    let reasons = "select coalesce(string_agg(concat(reason, headers), ' '), '') from aftercall.deliveries where job_id = $1";
    vec![
        ("job", get(format!("/v1/jobs/{id}")).await),
        ("list", get("/v1/jobs".to_owned()).await),
        ("export", get("/v1/exports/jobs.ndjson".to_owned()).await),
        ("timeline", get(format!("/v1/jobs/{id}/timeline")).await),
        ("row", row("select j.error::text from aftercall.jobs j where id = $1").await),
        ("attempts", row(attempts).await),
        ("events", row(events).await),
        ("reasons", row(reasons).await),
    ]
}

async fn assert_clean(app: &TestApp, id: Uuid) {
    let webhook = webhook(app).await;
    let token = webhook.path_segments().unwrap().next_back().unwrap();
    let job = app.job(id).await;
    assert!(job["error"]["message"].as_str().unwrap().contains("[redacted]"), "{job}");
    for (place, said) in told(app, id).await {
        for secret in ["hush", token, "in.example"] {
            assert!(!said.contains(secret), "{secret} in {place}: {said}");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_submission_tells_no_secret() {
    let app = TestApp::start().await;
    app.answer_submissions(|request: &wiremock::Request| {
        let (_, webhook) = request.url.query_pairs().next().unwrap();
        ResponseTemplate::new(400).set_body_json(telling(&webhook))
    })
    .await;
    let id = submit(&app).await;
    app.dispatcher.drain().await;
    assert_eq!(app.job(id).await["state"], "failed");
    assert_clean(&app, id).await;
}

#[tokio::test]
async fn a_failed_delivery_tells_no_secret() {
    let app = TestApp::start().await;
    let id = submit(&app).await;
    app.dispatcher.drain().await;
    let webhook = webhook(&app).await;
    let body = json!({ "status": "Fail", "response": telling(webhook.as_str()) });
    let path = webhook.path().strip_prefix("/after%20call").unwrap();
    app.deliver(path, body.to_string()).await;
    assert_eq!(app.job(id).await["state"], "failed");
    assert_clean(&app, id).await;
}

#[tokio::test]
async fn a_failure_that_was_asked_for_tells_no_secret() {
    let app = TestApp::start().await;
    let id = submit(&app).await;
    app.dispatcher.drain().await;
    let webhook = webhook(&app).await;
    let body = json!({ "jobId": "rc-1", "status": "Fail", "response": telling(webhook.as_str()) });
    app.answer_polls(ResponseTemplate::new(200).set_body_json(body)).await;
    app.make_due(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(id).await["state"], "failed");
    assert_clean(&app, id).await;
}
