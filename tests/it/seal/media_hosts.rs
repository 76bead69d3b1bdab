//! Recordings on the provider's own media host get its access token when they are submitted, and nobody sees it.
use std::sync::atomic::{AtomicUsize, Ordering};

use aftercall::provider::wire;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{sent, stored, submit};
use crate::support::app::TestApp;

const RECORDING: &str = "https://media.ringcentral.com/restapi/v1.0/account/1/recording/2/content";

#[tokio::test]
async fn the_provider_gets_a_fresh_token_and_the_row_has_none() {
    let app = TestApp::start().await;
    let plain = submit(&app, RECORDING).await;
    let outdated = submit(&app, &format!("{RECORDING}?access_token=stale&x=1")).await;
    let elsewhere = submit(&app, "https://media.ringcentral.com.example/a.wav").await;
    app.dispatcher.drain().await;
    assert_eq!(
        sent(&app).await,
        [
            format!("{RECORDING}?access_token=token"),
            format!("{RECORDING}?x=1&access_token=token"),
            "https://media.ringcentral.com.example/a.wav".to_owned(),
        ]
    );
    for id in [plain, outdated, elsewhere] {
        let (request, _) = stored(&app, id).await;
        assert!(!request.to_string().contains("=token"), "{request}");
        assert!(!app.job(id).await.to_string().contains("=token"));
    }
}

#[tokio::test]
async fn a_late_error_that_quotes_the_token_is_redacted() {
    let app = TestApp::start().await;
    let id = submit(&app, RECORDING).await;
    let job = app.dispatched(id).await;
    let quote = format!("cannot fetch {RECORDING}?access_token=U0pDMTEK|x, sorry");
    let errors = json!([{ "errorCode": "CAI-101", "message": quote }]);
    let body = json!({ "status": "Fail", "response": { "errors": errors } });
    app.deliver(&job.webhook, body.to_string()).await;
    let message = app.job(id).await["error"]["message"].clone();
    assert_eq!(message, format!("cannot fetch {RECORDING}?access_token=[redacted] sorry"));
}

#[tokio::test]
async fn a_rejected_token_is_replaced_in_the_url_too() {
    let app = TestApp::start().await;
    submit(&app, RECORDING).await;
    let granted = AtomicUsize::new(0);
    let grant = move |_: &wiremock::Request| {
        let number = granted.fetch_add(1, Ordering::Relaxed) + 1;
        let token = format!("token-{number}");
        ResponseTemplate::new(200)
            .set_body_json(json!({ "access_token": token, "expires_in": 3600 }))
    };
    app.stub("POST", wire::TOKEN_PATH, grant).await;
    app.answer_submissions(|request: &wiremock::Request| {
        let is_old = String::from_utf8_lossy(&request.body).contains("access_token=token-1");
        ResponseTemplate::new(if is_old { 401 } else { 202 })
    })
    .await;
    app.dispatcher.drain().await;
    let urls = [1, 2].map(|number| format!("{RECORDING}?access_token=token-{number}"));
    assert_eq!(sent(&app).await, urls);
}

#[tokio::test]
async fn plain_http_is_refused_there() {
    let app = TestApp::start().await;
    let uri = RECORDING.replacen("https", "http", 1);
    let body = json!({ "contentUri": uri, "encoding": "Wav" });
    assert_eq!(app.post("/v1/jobs", &body).await.faults(), ["#/contentUri scheme"]);
    let off = TestApp::with(|settings| settings.provider.media_hosts.clear()).await;
    let id = submit(&off, &uri).await;
    off.dispatched(id).await;
    assert_eq!(sent(&off).await, [uri]);
}
