//! The provider client against stub servers: every kind of response, and none.
mod network;
mod status;
mod submit;
mod token;

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use aftercall::jobs::{Token, WebhookUrl};
use aftercall::provider::{Client, Credentials};
use serde_json::{Map, Value, json};
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ANALYZE: &str = "/ai/insights/v1/async/analyze-interaction";
const TOKEN: &str = "/restapi/oauth/token";
const WEBHOOK_TOKEN: &str = "AZ8Mwqi4fD6aTV5vcIGSAzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3";
const WEBHOOK: &str = "https://in.example/w/webhooks/AZ8Mwqi4fD6aTV5vcIGSAzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3?team=a%20b&x=1";
const SECRETS: [&str; 7] = [
    "jwt-credential",
    "client-secret",
    "access-token",
    WEBHOOK,
    WEBHOOK_TOKEN,
    "https%3A%2F%2Fin.example",
    // "app:client-secret" for Basic authentication
    "YXBwOmNsaWVudC1zZWNyZXQ",
];

fn client_of(base_url: &str, timeout: Duration) -> Client {
    let credentials = Credentials {
        client_id: "app".into(),
        client_secret: "client-secret".into(),
        jwt: "jwt-credential".into(),
    };
    Client::new(&Url::parse(base_url).unwrap(), credentials, timeout).unwrap()
}

fn client(server: &MockServer) -> Client {
    client_of(&server.uri(), Duration::from_secs(20))
}

fn webhook() -> WebhookUrl {
    let base = Url::parse("https://in.example/w?team=a%20b&x=1").unwrap();
    WebhookUrl::new(&base, &Token::parse(WEBHOOK_TOKEN).unwrap())
}

fn job() -> Map<String, Value> {
    let body = json!({ "contentUri": "https://media.example/1.wav", "encoding": "Wav" });
    body.as_object().unwrap().clone()
}

fn granted() -> ResponseTemplate {
    let body =
        json!({ "access_token": "access-token", "token_type": "bearer", "expires_in": 3600 });
    ResponseTemplate::new(200).set_body_json(body)
}

async fn stub(server: &MockServer, verb: &str, route: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(route)).respond_with(answer).mount(server).await;
}

/// A server that grants tokens and responds to submissions with `answer`.
async fn server_answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    stub(&server, "POST", TOKEN, granted()).await;
    stub(&server, "POST", ANALYZE, answer).await;
    server
}

async fn requests_to(server: &MockServer, route: &str) -> Vec<wiremock::Request> {
    let all = server.received_requests().await.unwrap();
    all.into_iter().filter(|request| request.url.path() == route).collect()
}

/// Checks everything a log could contain about an error: both formats, for the whole chain.
#[track_caller]
fn assert_redacted(error: &(dyn Error + 'static)) {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        writeln!(said, "{error}\n{error:?}\n{error:#?}").unwrap();
        next = error.source();
    }
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} leaked:\n{said}");
    }
}
