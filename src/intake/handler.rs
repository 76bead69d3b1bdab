//! `POST /v1/jobs`.
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Submission, SubmitJob,
    idempotency::{self, Replay},
    media,
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState, JobView, Links,
        problems::{Code, OF_BODY, Problems, codes},
    },
    callers::{Caller, Scope},
    http::NoParameters,
    jobs::{self, Job, JobId, NewJob, idempotency::IdempotencyKey},
    telemetry,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(submit))
}

/// Submit a recording.
///
/// The job is stored durably and queued; `links` has the paths of its later results. With an
/// `Idempotency-Key`, the same request can be repeated for 24 hours without creating and paying for
/// a second job.
#[utoipa::path(
    post, path = "/v1/jobs", operation_id = "submitJob", tag = "jobs",
    params((
        "Idempotency-Key" = Option<String>, Header,
        pattern = "^(\"[!-~]{1,253}\"|[!#-~][!-~]{0,254})$",
        description = "1 to 255 visible ASCII characters; may be quoted",
    )),
    request_body = SubmitJob,
    responses(
        (status = ACCEPTED, body = JobView, headers(("Location" = String), ("ETag" = String))),
        Problems<{ OF_BODY | codes(&[Code::IdempotencyKeyReused]) }>,
    ),
    security(("key" = ["jobs:write"])),
)]
async fn submit(
    State(state): State<ApiState>,
    caller: Caller,
    _query: ApiQuery<NoParameters>,
    headers: HeaderMap,
    body: ApiJson,
) -> Result<Response, ApiError> {
    caller.require(Scope::JobsWrite)?;
    let key = idempotency::key(&headers, &caller, "POST /v1/jobs", &body.bytes)?;
    let mut submission =
        Submission::read(body.value, &body.bytes).map_err(ApiError::ValidationFailed)?;
    // A recording is large, and the submission holds it by now.
    drop(body.bytes);
    let trace = telemetry::to_store(&headers);
    if key.is_some() || submission.media.is_some() {
        return in_transaction(&state, &caller, &mut submission, trace.as_deref(), key.as_ref())
            .await;
    }
    let new = new_job(&state, &caller, &submission, trace.as_deref());
    tracing::Span::current().record("job_id", tracing::field::display(new.id));
    Ok(accepted(jobs::enqueue_alone(&state.db, &state.announcer, &new).await?)?.1)
}

pub(super) fn new_job<'a>(
    state: &ApiState,
    caller: &'a Caller,
    submission: &'a Submission,
    trace_context: Option<&'a str>,
) -> NewJob<'a> {
    NewJob {
        id: JobId::generate(),
        caller_id: caller.id,
        caller: &caller.name,
        external_id: submission.external_id.as_deref(),
        tags: &submission.tags,
        metadata: &submission.metadata,
        request: &submission.request,
        content: submission.content.as_deref(),
        media_id: submission.media,
        deadline: state.deadline,
        trace_context,
    }
}

/// The key, the job and the response commit together.
async fn in_transaction(
    state: &ApiState,
    caller: &Caller,
    submission: &mut Submission,
    trace: Option<&str>,
    key: Option<&IdempotencyKey>,
) -> Result<Response, ApiError> {
    let mut tx = state.announcer.begin(&state.db).await?;
    if let Some(key) = key
        && let Replay::Stored { location, body } = idempotency::reserve(&mut tx, key).await?
    {
        return Ok(idempotency::replayed(answer(&location, body, None)?));
    }
    let resolved = media::resolve(&mut tx, caller.id, submission).await?;
    resolved.map_err(ApiError::ValidationFailed)?;
    let new = new_job(state, caller, submission, trace);
    tracing::Span::current().record("job_id", tracing::field::display(new.id));
    let (answer, response) = accepted(jobs::enqueue(&mut tx, &new).await?)?;
    if let Some(key) = key {
        idempotency::record(&mut tx, key, &answer.location, &answer.json).await?;
    }
    tx.commit().await?;
    Ok(response)
}

/// The stored part of a response.
struct StoredResponse {
    location: String,
    json: String,
}

fn accepted(job: Job) -> Result<(StoredResponse, Response), ApiError> {
    let view = JobView::from(job);
    let json = serde_json::to_string(&view).map_err(|error| ApiError::Internal(error.into()))?;
    let location = Links::of(view.id).job;
    let response = answer(&location, json.clone(), Some(&view.etag()))?;
    Ok((StoredResponse { location, json }, response))
}

/// The 202 of a new job, or of the earlier request that created it.
fn answer(location: &str, json: String, etag: Option<&str>) -> Result<Response, ApiError> {
    let mut response = (StatusCode::ACCEPTED, json).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::LOCATION, HeaderValue::from_str(location)?);
    if let Some(etag) = etag {
        headers.insert(header::ETAG, HeaderValue::from_str(etag)?);
    }
    Ok(response)
}
