//! The meaning of responses to a submission.
use std::time::Duration;

use aftercall::provider::{Accepted, RateHeaders, SubmitError};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use super::{
    ANALYZE, SECRETS, TOKEN, WEBHOOK, WEBHOOK_TOKEN, assert_redacted, client, client_of, granted,
    job, requests_to, server_answering, stub, webhook,
};

async fn submitted(answer: ResponseTemplate) -> Result<Accepted, SubmitError> {
    let server = server_answering(answer).await;
    let outcome = client(&server).submit(&job(), &webhook()).await;
    if let Err(error) = &outcome {
        assert_redacted(error);
    }
    outcome
}

fn no_rate() -> RateHeaders {
    RateHeaders::default()
}

#[tokio::test]
async fn an_acceptance_brings_the_job_id_and_the_rate() {
    let answer = ResponseTemplate::new(202)
        .set_body_json(json!({ "jobId": "rc-1" }))
        .insert_header("X-Rate-Limit-Limit", "10")
        .insert_header("X-Rate-Limit-Remaining", "7")
        .insert_header("X-Rate-Limit-Window", "60");
    let rate =
        RateHeaders { limit: Some(10), remaining: Some(7), window: Some(Duration::from_mins(1)) };
    let expected = Accepted { job_id: Some("rc-1".into()), rate };
    assert_eq!(submitted(answer).await.unwrap(), expected);
}

#[tokio::test]
async fn an_acceptance_needs_no_body() {
    let anonymous = Accepted { job_id: None, rate: no_rate() };
    for answer in [
        ResponseTemplate::new(202),
        ResponseTemplate::new(202).set_body_string("<accepted/>"),
        ResponseTemplate::new(202).set_body_json(json!({ "jobId": "" })),
        ResponseTemplate::new(202).set_body_json(json!({ "jobId": "a\0b" })),
        ResponseTemplate::new(204),
    ] {
        assert_eq!(submitted(answer).await.unwrap(), anonymous);
    }
    let other = ResponseTemplate::new(200).set_body_json(json!({ "jobId": "rc-2" }));
    assert_eq!(submitted(other).await.unwrap().job_id.as_deref(), Some("rc-2"));
}

#[tokio::test]
async fn a_success_that_is_not_the_providers_is_none() {
    let page = ResponseTemplate::new(200).set_body_string("<html>Sign in to the Wi-Fi</html>");
    assert!(matches!(submitted(page).await, Err(SubmitError::Broken { .. })));
    let huge = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 2 << 20]);
    assert!(matches!(submitted(huge).await, Err(SubmitError::Broken { .. })));
}

#[tokio::test]
async fn the_request_is_what_the_contract_says() {
    let server = server_answering(ResponseTemplate::new(202)).await;
    client(&server).submit(&job(), &webhook()).await.unwrap();
    let [request] = &requests_to(&server, ANALYZE).await[..] else { panic!("one request") };
    let raw = request.url.query().unwrap();
    assert!(!raw.contains(['?', ':', ' ']) && raw.matches(['&', '=']).count() == 1, "{raw}");
    let arrived: Vec<_> = request.url.query_pairs().collect();
    assert_eq!(arrived, [("webhook".into(), WEBHOOK.into())]);
    assert_eq!(request.headers["authorization"], "Bearer access-token");
    assert_eq!(request.headers["content-type"], "application/json");
    let agent = request.headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("Aftercall/"), "{agent}");
    assert_eq!(request.body_json::<Value>().unwrap(), Value::Object(job()));
}

#[tokio::test]
async fn a_refusal_is_for_good_and_names_its_errors() {
    let error = json!({ "errorCode": "CAI-101", "message": "bad", "parameterName": "encoding" });
    for status in [400, 413, 415, 422] {
        let answer = ResponseTemplate::new(status).set_body_json(json!({ "errors": [error] }));
        let Err(SubmitError::Refused { status: told, errors, .. }) = submitted(answer).await else {
            panic!("{status} should be a refusal")
        };
        assert_eq!(told, status);
        assert_eq!(errors[0].code, "CAI-101");
        assert_eq!(errors[0].parameter.as_deref(), Some("encoding"));
    }
    let bare = submitted(ResponseTemplate::new(400).set_body_string("no")).await;
    assert!(matches!(bare, Err(SubmitError::Misdirected { errors, .. }) if errors.is_empty()));
}

#[tokio::test]
async fn a_refusal_that_quotes_the_request_is_redacted() {
    let message = format!("cannot use {} as webhook", SECRETS.join(" or "));
    let body = json!({ "errors": [{ "errorCode": "CAI-103", "message": message }] });
    let server = server_answering(ResponseTemplate::new(400).set_body_json(body)).await;
    let Err(SubmitError::Refused { errors, .. }) = client(&server).submit(&job(), &webhook()).await
    else {
        panic!("should be refused")
    };
    for secret in ["access-token", WEBHOOK, WEBHOOK_TOKEN] {
        assert!(!errors[0].message.contains(secret), "{}", errors[0].message);
    }
}

#[tokio::test]
async fn a_throttled_submission_tells_how_long_to_wait() {
    let wait = async |headers: &[(&'static str, &'static str)]| {
        let answer = headers.iter().fold(ResponseTemplate::new(429), |answer, (name, value)| {
            answer.insert_header(*name, *value)
        });
        match submitted(answer).await {
            Err(SubmitError::Throttled { retry_after, .. }) => retry_after,
            other => panic!("should be throttled: {other:?}"),
        }
    };
    assert_eq!(wait(&[("Retry-After", "42")]).await, Some(Duration::from_secs(42)));
    assert_eq!(wait(&[]).await, None);
    let dated = [
        ("Date", "Tue, 06 Jan 2015 08:00:00 GMT"),
        ("Retry-After", "Tue, 06 Jan 2015 08:00:50 GMT"),
    ];
    assert_eq!(wait(&dated).await, Some(Duration::from_secs(50)));
}

#[tokio::test]
async fn an_outage_is_told_from_a_refusal() {
    for status in [408, 425, 500, 502, 503] {
        let answer = ResponseTemplate::new(status)
            .insert_header("Retry-After", "5")
            .insert_header("Location", "https://elsewhere.example/")
            .insert_header("X-Rate-Limit-Remaining", "3");
        let error = submitted(answer).await.unwrap_err();
        assert_eq!(error.rate().unwrap().remaining, Some(3));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
        assert!(matches!(error, SubmitError::Broken { .. }), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_base_url_may_have_a_path_and_its_user_name_is_ignored() {
    let server = MockServer::start().await;
    stub(&server, "POST", &format!("/base{TOKEN}"), granted()).await;
    stub(&server, "POST", &format!("/base{ANALYZE}"), ResponseTemplate::new(202)).await;
    let base = format!("{}/base/?x=y", server.uri().replace("http://", "http://user:pass@"));
    let client = client_of(&base, Duration::from_secs(20));
    client.submit(&job(), &webhook()).await.unwrap();
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.headers.get_all("authorization").iter().count(), 1);
    }
}
