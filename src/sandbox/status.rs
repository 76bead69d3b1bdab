//! `GET /ai/status/v1/jobs/{jobId}`: the status of a job, and its result once it has one.
use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Emulator,
    ledger::Job,
    now,
    refusal::{CaiError, Refusal},
};
use crate::provider::wire;

pub async fn show(
    State(emulator): State<Arc<Emulator>>,
    Path(job_id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    if Uuid::parse_str(&job_id).is_err() {
        let error = CaiError::invalid("jobId", "of type UUID");
        return Err(Refusal::cai(StatusCode::BAD_REQUEST, &[error]));
    }
    let Some(job) = emulator.ledger.job(&job_id, now()) else {
        let settings = &emulator.settings;
        let status = StatusCode::from_u16(settings.unknown_job_status);
        let error = CaiError {
            error_code: settings.unknown_job_code.clone(),
            message: "Resource for parameter [jobId] is not found".to_owned(),
            parameter_name: Some("jobId".to_owned()),
        };
        return Err(Refusal::cai(status.unwrap_or(StatusCode::NOT_FOUND), &[error]));
    };
    Ok(Json(envelope(&job, emulator.settings.retention)))
}

/// The response wrapped with the job and its times, as in status responses and in deliveries since
/// 2023.
pub fn envelope(job: &Job, retention: std::time::Duration) -> Value {
    let expires = chrono::TimeDelta::from_std(retention)
        .ok()
        .and_then(|retention| job.created.checked_add_signed(retention))
        .unwrap_or(DateTime::<Utc>::MAX_UTC);
    let mut body = json!({
        "jobId": job.id,
        "api": wire::ANALYZE_PATH,
        "creationTime": stamp(job.created),
    });
    if let Some(finished) = &job.finished {
        body["completionTime"] = json!(stamp(finished.completed));
    }
    body["expirationTime"] = json!(stamp(expires));
    match &job.finished {
        Some(finished) => {
            body["status"] = json!(finished.status);
            body["response"] = finished.response.clone();
        }
        None => body["status"] = json!("InProgress"),
    }
    body
}

/// ISO 8601 in UTC with milliseconds and `Z`, as in the provider's samples.
fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
