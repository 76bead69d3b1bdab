//! Access tokens from the provider's point of view.
use std::sync::atomic::{AtomicUsize, Ordering};

use aftercall::provider::{Client, SubmitError, TokenError};
use futures_util::future::join_all;
use serde_json::json;
use wiremock::matchers::{basic_auth, body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{
    ANALYZE, TOKEN, assert_redacted, client, granted, job, requests_to, server_answering, stub,
    webhook,
};

/// Grants `access-token-1`, `access-token-2` and so on.
async fn grant_in_turn(server: &MockServer) {
    let count = AtomicUsize::new(1);
    Mock::given(method("POST"))
        .and(path(TOKEN))
        .respond_with(move |_: &wiremock::Request| {
            let token = format!("access-token-{}", count.fetch_add(1, Ordering::SeqCst));
            let body = json!({ "access_token": token, "expires_in": 3600 });
            ResponseTemplate::new(200).set_body_json(body)
        })
        .mount(server)
        .await;
}

async fn submit_at_once(client: &Client, calls: usize) -> Vec<Result<(), SubmitError>> {
    let (job, webhook) = (job(), webhook());
    let calls = (0..calls).map(async |_| client.submit(&job, &webhook).await.map(drop));
    join_all(calls).await
}

#[tokio::test]
async fn the_jwt_is_exchanged_with_basic_authentication() {
    let server = MockServer::start().await;
    let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
                &assertion=jwt-credential";
    Mock::given(method("POST"))
        .and(path(TOKEN))
        .and(basic_auth("app", "client-secret"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string(form))
        .respond_with(granted())
        .expect(1)
        .mount(&server)
        .await;
    stub(&server, "POST", ANALYZE, ResponseTemplate::new(202)).await;
    client(&server).submit(&job(), &webhook()).await.unwrap();
}

#[tokio::test]
async fn twenty_submissions_at_once_share_one_token() {
    let server = server_answering(ResponseTemplate::new(202)).await;
    let client = client(&server);
    assert!(submit_at_once(&client, 20).await.iter().all(Result::is_ok));
    assert!(client.clone().submit(&job(), &webhook()).await.is_ok());
    assert_eq!(requests_to(&server, TOKEN).await.len(), 1);
    assert_eq!(requests_to(&server, ANALYZE).await.len(), 21);
}

#[tokio::test]
async fn a_token_refused_to_many_is_refreshed_once() {
    let server = MockServer::start().await;
    grant_in_turn(&server).await;
    let old = Mock::given(path(ANALYZE)).and(header("authorization", "Bearer access-token-1"));
    old.respond_with(ResponseTemplate::new(401)).expect(20).mount(&server).await;
    let new = Mock::given(path(ANALYZE)).and(header("authorization", "Bearer access-token-2"));
    new.respond_with(ResponseTemplate::new(202)).expect(20).mount(&server).await;
    assert!(submit_at_once(&client(&server), 20).await.iter().all(Result::is_ok));
    assert_eq!(requests_to(&server, TOKEN).await.len(), 2);
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_too_ends_the_matter() {
    let server = MockServer::start().await;
    grant_in_turn(&server).await;
    let body = json!({ "errorCode": "TokenInvalid", "message": "access-token-2",
                       "errors": [{ "errorCode": "OAU-213", "message": "access-token-2" }] });
    stub(&server, "POST", ANALYZE, ResponseTemplate::new(401).set_body_json(body)).await;
    let error = client(&server).submit(&job(), &webhook()).await.unwrap_err();
    assert_redacted(&error);
    assert!(
        matches!(error, SubmitError::Unauthorized { errors, rate: Some(_), .. } if errors[0].code == "OAU-213")
    );
    assert_eq!(requests_to(&server, TOKEN).await.len(), 2);
    assert_eq!(requests_to(&server, ANALYZE).await.len(), 2);
}

/// The outcome of a submission when the token endpoint responds with `answer`.
async fn without_token(answer: ResponseTemplate) -> SubmitError {
    let server = MockServer::start().await;
    stub(&server, "POST", TOKEN, answer).await;
    let error = client(&server).submit(&job(), &webhook()).await.unwrap_err();
    assert!(requests_to(&server, ANALYZE).await.is_empty());
    assert_redacted(&error);
    error
}

#[tokio::test]
async fn refused_credentials_are_named_by_their_oauth_code() {
    let body = json!({ "error": "invalid_grant", "error_description": "not jwt-credential",
                       "errors": [{ "errorCode": "OAU-210", "message": "client-secret" }] });
    let error = without_token(ResponseTemplate::new(400).set_body_json(body)).await;
    assert!(error.to_string().contains("invalid_grant (OAU-210)"), "{error}");
    assert!(matches!(error, SubmitError::Unauthorized { status: None, rate: None, .. }));
}

#[tokio::test]
async fn trouble_at_the_token_endpoint_is_no_refusal() {
    let throttled = ResponseTemplate::new(429).insert_header("Retry-After", "9");
    for (answer, expected) in [
        (throttled, "rate limit"),
        (ResponseTemplate::new(503), "503"),
        (ResponseTemplate::new(404), "404"),
        (ResponseTemplate::new(200).set_body_string("jwt-credential"), "no usable token"),
    ] {
        let SubmitError::TokenUnavailable(error) = without_token(answer).await else {
            panic!("{expected}: the token should be unavailable")
        };
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_throttled_token_endpoint_is_left_alone() {
    let server = MockServer::start().await;
    let throttled = ResponseTemplate::new(429).insert_header("Retry-After", "3600");
    stub(&server, "POST", TOKEN, throttled).await;
    let client = client(&server);
    let first = submit_at_once(&client, 5).await;
    for outcome in first.into_iter().chain(submit_at_once(&client, 5).await) {
        let error = outcome.unwrap_err();
        assert!(error.retry_after().is_some());
        assert!(matches!(error, SubmitError::TokenUnavailable(TokenError::Throttled { .. })));
    }
    assert_eq!(requests_to(&server, TOKEN).await.len(), 1);
}

#[tokio::test]
async fn calls_can_be_spawned() {
    let server = server_answering(ResponseTemplate::new(202)).await;
    let client = client(&server);
    let asking = client.clone();
    let asked = tokio::spawn(async move { asking.status("rc-1").await });
    let submitted = tokio::spawn(async move { client.submit(&job(), &webhook()).await });
    assert!(asked.await.unwrap().is_err());
    assert!(submitted.await.unwrap().is_ok());
    assert_eq!(requests_to(&server, TOKEN).await.len(), 1);
}
