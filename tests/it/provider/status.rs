//! The status of a job.
use std::time::Duration;

use aftercall::provider::{AnalysisStatus, ProviderError, StatusAnswer, StatusError};
use serde_json::json;
use wiremock::{MockServer, ResponseTemplate};

use super::{TOKEN, assert_redacted, client, granted, requests_to, stub};

const JOB: &str = "/ai/status/v1/jobs/rc-1";

async fn asked(answer: ResponseTemplate) -> Result<StatusAnswer, StatusError> {
    let server = MockServer::start().await;
    stub(&server, "POST", TOKEN, granted()).await;
    stub(&server, "GET", JOB, answer).await;
    let outcome = client(&server).status("rc-1").await;
    if let Err(error) = &outcome {
        assert_redacted(error);
    }
    outcome
}

#[tokio::test]
async fn a_running_job_is_in_progress() {
    let body = json!({ "jobId": "rc-1", "status": "InProgress",
                       "creationTime": "2025-01-02T03:04:05.678Z" });
    let answer =
        ResponseTemplate::new(200).set_body_json(body).insert_header("X-Rate-Limit-Remaining", "4");
    let answer = asked(answer).await.unwrap();
    assert_eq!(answer.message.analysis_status, AnalysisStatus::InProgress);
    assert_eq!(answer.message.creation_time.unwrap().timestamp_subsec_millis(), 678);
    assert_eq!(answer.rate.remaining, Some(4));
}

#[tokio::test]
async fn a_finished_job_comes_with_its_bytes() {
    let body = r#"{ "jobId": "rc-1",  "status": "Success", "response": { "utteranceInsights": [
        { "start": 0, "end": 1.5, "text": "Hello." } ] } }"#;
    let answer = asked(ResponseTemplate::new(200).set_body_string(body)).await.unwrap();
    assert_eq!(answer.body, body);
    let AnalysisStatus::Success(analysis) = answer.message.analysis_status else {
        panic!("should be done")
    };
    assert_eq!(analysis.utterances[0].text, "Hello.");
}

#[tokio::test]
async fn a_failed_job_names_its_errors() {
    let error = json!({ "errorCode": "CAI-107", "message": "cannot fetch" });
    let body = json!({ "jobId": "rc-1", "status": "Fail", "response": { "errors": [error] } });
    let answer = asked(ResponseTemplate::new(200).set_body_json(body)).await.unwrap();
    let error =
        ProviderError { code: "CAI-107".into(), message: "cannot fetch".into(), parameter: None };
    assert_eq!(answer.message.analysis_status, AnalysisStatus::Fail(vec![error]));
}

#[tokio::test]
async fn a_job_that_is_gone_is_told_from_trouble() {
    let errors = json!({ "errors": [{ "errorCode": "CAI-110", "message": "no such job" }] });
    for status in [400, 404] {
        let answer = ResponseTemplate::new(status).set_body_json(&errors);
        let error = asked(answer).await.unwrap_err();
        assert!(
            matches!(&error, StatusError::UnknownJob { errors, .. } if errors[0].code == "CAI-110")
        );
    }
    let refused = asked(ResponseTemplate::new(403)).await;
    assert!(matches!(refused, Err(StatusError::Refused { .. })));
    let broken = asked(ResponseTemplate::new(500)).await;
    assert!(matches!(broken, Err(StatusError::Broken { .. })));
    let unauthorized = asked(ResponseTemplate::new(401)).await;
    assert!(matches!(unauthorized, Err(StatusError::Unauthorized { .. })));
    let throttled = asked(ResponseTemplate::new(429).insert_header("Retry-After", "6")).await;
    assert!(matches!(throttled, Err(StatusError::Throttled { retry_after: Some(wait), .. })
        if wait == Duration::from_secs(6)));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_handed_over() {
    let page = asked(ResponseTemplate::new(200).set_body_string("<html>")).await;
    let Err(StatusError::Unreadable { body, .. }) = page else { panic!("should be unreadable") };
    assert_eq!(body.0, "<html>");
    assert_eq!(format!("{body:?}"), "6 bytes");
}

#[tokio::test]
async fn a_job_id_cannot_leave_its_place_in_the_path() {
    let server = MockServer::start().await;
    stub(&server, "POST", TOKEN, granted()).await;
    let outcome = client(&server).status("a/../b?c#d").await;
    assert!(matches!(outcome, Err(StatusError::UnknownJob { .. })));
    let route = "/ai/status/v1/jobs/a%2F..%2Fb%3Fc%23d";
    assert_eq!(requests_to(&server, route).await.len(), 1);
}
