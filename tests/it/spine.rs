//! All stages together: listeners on real sockets, running workers, and the sandbox as the
//! provider.
use std::{net::SocketAddr, time::Duration};

use aftercall::{
    config::{self, SandboxSettings},
    provider::{Client, Credentials},
    sandbox::Sandbox,
};
use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::support::{app::TestApp, eventually};

fn sandbox_settings() -> SandboxSettings {
    let mut settings = config::load(None).unwrap().settings.sandbox;
    settings.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    settings.latency = Duration::ZERO;
    settings.delivery_backoff = Duration::ZERO;
    settings.rate_limit = 1000;
    settings
}

fn client(base_url: &Url, settings: &SandboxSettings) -> Client {
    let credentials = Credentials {
        client_id: settings.client_id.clone(),
        client_secret: settings.client_secret.clone(),
        jwt: settings.jwt.clone(),
    };
    Client::new(base_url, credentials, Duration::from_secs(20)).unwrap()
}

async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    Url::parse(&format!("http://{address}")).unwrap()
}

/// The service with running workers against a sandbox with these settings; also returns the URL of
/// the sandbox's recording.
async fn running(settings: &SandboxSettings, stop: &CancellationToken) -> (TestApp, Url) {
    let mut app = TestApp::with(|settings| {
        settings.dispatch.poll_interval = Duration::from_millis(20);
        settings.reconcile.interval = Duration::from_millis(20);
        settings.reconcile.after = Duration::from_millis(200);
    })
    .await;
    let sandbox = Sandbox::bind(settings).await.unwrap();
    let recording = sandbox.recording_url();
    let client = client(&sandbox.base_url(), settings);
    app.dispatcher.accounts[0].client = client.clone();
    app.dispatcher.webhook_base = serve(app.webhook.clone()).await;
    app.reconciler.accounts[0].client = client;
    tokio::spawn(sandbox.run(stop.clone()));
    tokio::spawn(app.dispatcher.clone().run(stop.clone()));
    (app, recording)
}

async fn finished(app: &TestApp, id: Uuid) -> Value {
    eventually("the end of the job", async || {
        let job = app.job(id).await;
        job["finishedAt"].is_string().then_some(job)
    })
    .await
}

#[tokio::test]
async fn a_recording_goes_in_and_insights_come_out() {
    let stop = CancellationToken::new();
    let (app, recording) = running(&sandbox_settings(), &stop).await;
    let api = serve(app.api.clone()).await;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let body = json!({ "contentUri": recording, "encoding": "Wav", "speakerCount": 2 });
    let answer = http
        .post(api.join("/v1/jobs").unwrap())
        .bearer_auth(&app.key)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    let job: Value = answer.json().await.unwrap();
    let job = finished(&app, job["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!((&job["state"], &job["completedVia"]), (&json!("completed"), &json!("webhook")));
    let id = job["id"].as_str().unwrap();
    let speakers = app.get(&format!("/v1/jobs/{id}/speakers")).await.json();
    assert_eq!(speakers["data"].as_array().unwrap().len(), 2);
    let said = app.get(&format!("/v1/jobs/{id}/utterances")).await.json();
    assert!(said["data"].as_array().unwrap().len() > 4);
    assert_eq!(app.delivery_outcomes(id.parse().unwrap()).await, ["accepted"]);
    stop.cancel();
}

#[tokio::test]
async fn a_recording_that_cannot_be_fetched_fails_the_job() {
    let stop = CancellationToken::new();
    let (app, recording) = running(&sandbox_settings(), &stop).await;
    let missing = recording.join("missing.wav").unwrap();
    let body = json!({ "contentUri": missing, "encoding": "Wav" });
    let id = app.post("/v1/jobs", &body).await.id();
    let job = finished(&app, id).await;
    assert_eq!((&job["state"], &job["error"]["class"]), (&json!("failed"), &json!("analysis")));
    stop.cancel();
}

#[tokio::test]
async fn a_lost_webhook_is_made_up_for_by_a_poll() {
    let mut settings = sandbox_settings();
    settings.faults = vec!["lost".to_owned()];
    let stop = CancellationToken::new();
    let (app, recording) = running(&settings, &stop).await;
    tokio::spawn(app.reconciler.clone().run(stop.clone()));
    let body = json!({ "contentUri": recording, "encoding": "Wav" });
    let id = app.post("/v1/jobs", &body).await.id();
    let job = finished(&app, id).await;
    assert_eq!((&job["state"], &job["completedVia"]), (&json!("completed"), &json!("poll")));
    stop.cancel();
}
