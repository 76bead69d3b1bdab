//! `POST /ai/insights/v1/async/analyze-interaction`: checks a submission and accepts it as a job.
use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, PoisonError},
    time::Instant,
};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{ConnectInfo, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use url::form_urlencoded;
use uuid::Uuid;

use super::{
    Emulator, RequestId,
    connection::Cut,
    faults::{self, SandboxFault},
    ledger::Job,
    now,
    rate::RateState,
    refusal::{CaiError, Refusal},
    request::{self, AnalyzeRequest},
};
use crate::config::Envelope;

pub async fn submit(
    State(emulator): State<Arc<Emulator>>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    ConnectInfo(connection): ConnectInfo<Cut>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let body = body.map_err(|rejection| {
        Refusal::platform(rejection.status(), "CMN-104", "The request body cannot be read")
            .into_response()
    })?;
    let (submission, webhook) =
        read(&emulator, query.as_deref(), &headers, &body).map_err(IntoResponse::into_response)?;
    let asked = headers.get(faults::HEADER).map(|value| value.to_str().unwrap_or("?"));
    let faults = emulator.faults.of(asked, &recording(&submission)).map_err(|unknown| {
        let message = unknown.to_string();
        Refusal::platform(StatusCode::BAD_REQUEST, "CMN-101", &message).into_response()
    })?;
    let is_slow = faults.contains(&SandboxFault::Slow);
    let answer = match spoilt(&emulator, &faults, &headers) {
        Some(refusal) => refusal,
        None => accept(&emulator, job(request_id, webhook, submission, faults), &connection).await,
    };
    if is_slow {
        // Slow only at this point: a client that gives up waiting may still have submitted a job.
        tokio::time::sleep(emulator.settings.slow_by).await;
    }
    Ok(answer)
}

fn job(
    request_id: String,
    webhook: Option<String>,
    request: AnalyzeRequest,
    faults: Vec<SandboxFault>,
) -> Job {
    Job {
        id: Uuid::new_v4().to_string(),
        created: now(),
        request_id,
        webhook,
        request,
        faults,
        finished: None,
        tries: 0,
        settled: false,
    }
}

/// Stores the job, starts work on it and returns the response.
async fn accept(emulator: &Arc<Emulator>, job: Job, connection: &Cut) -> Response {
    let (job_id, faults) = (job.id.clone(), job.faults.clone());
    let (delivered, first_delivery) = oneshot::channel();
    let accepting = {
        let (emulator, job_id) = (Arc::clone(emulator), job_id.clone());
        async move {
            emulator.ledger.accept(job).await?;
            emulator.start(job_id, Some(delivered));
            anyhow::Ok(())
        }
    };
    // A separate task: a client that disconnects midway must not leave an accepted job that never
    // runs.
    if let Err(error) = tokio::spawn(accepting).await.unwrap_or_else(|panic| Err(panic.into())) {
        tracing::error!(error = %format!("{error:#}"), "the sandbox could not keep a job");
        return broken().into_response();
    }
    tracing::info!(provider_job_id = job_id, faults = ?faults, "sandbox: job accepted");
    if faults.contains(&SandboxFault::Early) {
        // The sender is dropped when there was nothing to deliver.
        let _ = first_delivery.await;
    }
    if faults.contains(&SandboxFault::Reset) {
        connection.cut();
    }
    if faults.contains(&SandboxFault::BadGateway) {
        let status = StatusCode::BAD_GATEWAY;
        return Refusal::platform(status, "CMN-201", "No answer from upstream").into_response();
    }
    let has_id =
        emulator.settings.envelope == Envelope::WithJob && !faults.contains(&SandboxFault::NoJobId);
    if has_id {
        return (StatusCode::ACCEPTED, Json(json!({ "jobId": job_id }))).into_response();
    }
    StatusCode::ACCEPTED.into_response()
}

fn read(
    emulator: &Emulator,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(AnalyzeRequest, Option<String>), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json")) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal::platform(status, "CMN-104", "Unsupported media type"));
    }
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
        Refusal::platform(StatusCode::BAD_REQUEST, "CMN-103", "The request body is no JSON object")
    })?;
    let mut errors = Vec::new();
    let webhook = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "webhook")
        .map(|(_, value)| value.into_owned());
    let is_wrong = match &webhook {
        Some(webhook) => request::web_address(webhook).is_none(),
        None => emulator.settings.webhook_required,
    };
    if is_wrong {
        errors.push(CaiError::invalid("webhook", "a valid uri"));
    }
    match request::read(&body, &emulator.settings) {
        Ok(submission) if errors.is_empty() => Ok((submission, webhook)),
        Ok(_) => Err(Refusal::cai(StatusCode::BAD_REQUEST, &errors)),
        Err(others) => {
            errors.extend(others);
            Err(Refusal::cai(StatusCode::BAD_REQUEST, &errors))
        }
    }
}

/// The error response with which a fault replaces an acceptance.
fn spoilt(emulator: &Emulator, faults: &[SandboxFault], headers: &HeaderMap) -> Option<Response> {
    if faults.contains(&SandboxFault::Unauthorized) {
        return Some(emulator.sessions.end_of(headers).into_response());
    }
    if faults.contains(&SandboxFault::Throttled) {
        let mut heavy = emulator.heavy.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = heavy.punish(Instant::now());
        let mut response = RateState::refusal().into_response();
        standing.write(response.headers_mut());
        return Some(response);
    }
    let refusals: [(SandboxFault, fn() -> Response); 4] = [
        (SandboxFault::Forbidden, || {
            let message =
                "In order to call this API endpoint, application needs to have [AI] permission";
            Refusal::platform(StatusCode::FORBIDDEN, "CMN-401", message).into_response()
        }),
        (SandboxFault::Misdirected, || {
            let message = "Resource for the requested URI is not found";
            Refusal::platform(StatusCode::NOT_FOUND, "AGW-404", message).into_response()
        }),
        (SandboxFault::Page, || {
            (StatusCode::NOT_FOUND, Html("<html><body>No such site</body></html>")).into_response()
        }),
        (SandboxFault::Broken, || broken().into_response()),
    ];
    refusals.into_iter().find(|(fault, _)| faults.contains(fault)).map(|(_, answer)| answer())
}

fn broken() -> Refusal {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Refusal::platform(status, "CMN-201", "Service is temporarily unavailable")
}

/// Identifies the recording across submissions: its URI, or a digest of inline content.
fn recording(submission: &AnalyzeRequest) -> String {
    submission.content_uri.clone().unwrap_or_else(|| {
        let mut hasher = DefaultHasher::new();
        submission.content.hash(&mut hasher);
        format!("content:{:x}", hasher.finish())
    })
}
