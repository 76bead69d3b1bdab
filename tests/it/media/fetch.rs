//! The provider fetches a recording from the webhook listener.
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::TONE;
use crate::support::{answer::Answer, app::TestApp, fixture};

/// A job about a recording that the provider has accepted, and the path at which it fetches that.
async fn submitted(app: &TestApp) -> (Uuid, String) {
    let media = app.uploaded().await;
    let id = app.post("/v1/jobs", &json!({ "media": media })).await.id();
    (id, attempted(app).await)
}

/// Has the queued job submitted; returns the path of its recording.
async fn attempted(app: &TestApp) -> String {
    assert_eq!(app.dispatcher.drain().await, 1);
    let sent = app.submissions().await;
    let body: Value = serde_json::from_slice(&sent.last().unwrap().body).unwrap();
    let uri: url::Url = body["contentUri"].as_str().unwrap().parse().unwrap();
    uri.path().strip_prefix("/after%20call").unwrap().to_owned()
}

async fn fetch(app: &TestApp, path: &str, range: Option<&str>) -> Answer {
    let mut request = Request::get(path);
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    Answer::of(&app.webhook, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_provider_gets_the_bytes_while_the_attempt_runs() {
    let app = TestApp::start().await;
    let (id, path) = submitted(&app).await;
    let whole = fetch(&app, &path, None).await;
    assert_eq!((whole.status, &whole.body[..]), (StatusCode::OK, TONE));
    assert_eq!(whole.header("content-type"), "audio/wav");
    let part = fetch(&app, &path, Some("bytes=-4")).await;
    assert_eq!(
        (part.status, &part.body[..]),
        (StatusCode::PARTIAL_CONTENT, &TONE[TONE.len() - 4..])
    );
    let head = Request::head(&path).body(Body::empty()).unwrap();
    let head = Answer::of(&app.webhook, head).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), TONE.len().to_string());

    let webhook = crate::support::app::webhook_of(app.submissions().await.last().unwrap());
    let result = fixture("delivery-2023.json").replace("@jobId", "rc-1");
    assert_eq!(app.deliver(&webhook, result).await.status, 200);
    assert_eq!(app.job(id).await["state"], "completed");
    assert_eq!(fetch(&app, &path, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whatever_is_unknown_or_over_looks_the_same() {
    let app = TestApp::start().await;
    let (id, path) = submitted(&app).await;
    let webhook = crate::support::app::webhook_of(app.submissions().await.last().unwrap());
    let other_secret = format!("{}A", &path[..path.len() - 1]);
    let unknown = fetch(&app, "/media/none", None).await;
    for path in [
        "/media",
        "/media/",
        "/media/none",
        &other_secret,
        // The token of the webhook opens only the webhook.
        &webhook.replace("/webhooks/", "/media/"),
        &format!("{path}/x"),
    ] {
        let answer = fetch(&app, path, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.body, unknown.body);
    }
    let post = Request::post(&path).body(Body::empty()).unwrap();
    assert_eq!(Answer::of(&app.webhook, post).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(fetch(&app, &path, None).await.status, StatusCode::OK);
    app.pass_deadline(id).await;
    assert_eq!(fetch(&app, &path, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn each_attempt_has_a_url_of_its_own() {
    let app = TestApp::start().await;
    let (id, first) = submitted(&app).await;
    app.about(
        id,
        "update aftercall.jobs set state = 'failed', finished_at = now(), due_at = null where id = $1",
    )
    .await;
    let retried = app.ask(app.request("POST", &format!("/v1/jobs/{id}/retry"))).await;
    assert_eq!(retried.status, 202, "{retried:?}");
    let second = attempted(&app).await;
    assert_ne!(first, second);
    assert_eq!(fetch(&app, &first, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(fetch(&app, &second, None).await.body, TONE);
}

#[tokio::test]
async fn fetches_of_one_attempt_and_of_all_are_limited() {
    let app = TestApp::with(|settings| {
        settings.media.max_fetches = 2;
        settings.media.max_fetches_per_attempt = 1;
    })
    .await;
    let (_, one) = submitted(&app).await;
    let (_, two) = submitted(&app).await;
    let (_, three) = submitted(&app).await;
    // A response that is not read keeps its place.
    let mut held = Vec::new();
    for path in [&one, &two] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(app.webhook.clone(), request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        held.push(response);
    }
    for path in [&one, &two, &three] {
        let answer = fetch(&app, path, None).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "5");
    }
    drop(held);
    crate::support::eventually("places are free", async || {
        (fetch(&app, &three, None).await.status == StatusCode::OK).then_some(())
    })
    .await;
}
