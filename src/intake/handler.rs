//! `POST /v1/jobs`.
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Submission, SubmitJob,
    commits::{Shared, Submissions},
    dedupe::{self, Enqueued},
    media, notify, recording,
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState, BodyMemory, JobView, Links, RequestPermit,
        idempotency::{self, Replay},
        problems::{Code, OF_BODY, Problems, codes},
    },
    callers::Caller,
    http::NoParameters,
    jobs::{JobId, NewJob, idempotency::IdempotencyKey},
    telemetry,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(submit))
}

/// Submit a recording.
///
/// The job is stored durably and queued; `links` has the paths of its later results. With an
/// `Idempotency-Key`, the same request can be repeated for 24 hours without creating and paying for
/// a second job. With `dedupe`, a job of the same recording is returned instead of a new one.
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
        (status = OK, description = "With `dedupe`: the existing job of the same recording", body = JobView, headers(
            ("Location" = String), ("ETag" = String), ("Deduplicated" = String, description = "`true`"),
        )),
        Problems<{ OF_BODY | codes(&[Code::IdempotencyKeyReused, Code::QuotaExhausted, Code::ExpiresTooSoon]) }>,
    ),
    security(("key" = ["jobs:write"])),
)]
async fn submit(
    State(state): State<ApiState>,
    Extension(submissions): Extension<Submissions>,
    caller: Caller,
    permit: RequestPermit,
    _query: ApiQuery<NoParameters>,
    headers: HeaderMap,
    body: ApiJson,
) -> Result<Response, ApiError> {
    let key = idempotency::key(&headers, &caller, "POST /v1/jobs", &body.bytes)?;
    let mut submission =
        Submission::read(body.value, &body.bytes).map_err(ApiError::ValidationFailed)?;
    let bytes = body.bytes.len();
    // A recording is large, and the submission holds it by now.
    drop(body.bytes);
    if let Err(faults) = notify::resolve(&state, &caller, &mut submission).await? {
        return earlier_or(&state, key.as_ref(), ApiError::ValidationFailed(faults)).await;
    }
    let trace = telemetry::to_store(&headers);
    let memory = body.memory;
    let pending = Pending { caller, submission, trace, key, bytes, memory, permit };
    if let Err(error) = check_expiry(&state, &pending).await {
        return earlier_or(&state, pending.key.as_ref(), error).await;
    }
    match submissions.share(pending).await? {
        Shared::Stored(id, response) => {
            tracing::Span::current().record("job_id", tracing::field::display(id));
            Ok(response)
        }
        Shared::Alone(pending) => in_transaction(&state, *pending).await,
    }
}

/// A submission to be stored, with what it counts against until then.
#[derive(Debug)]
pub(super) struct Pending {
    pub caller: Caller,
    pub submission: Submission,
    /// A W3C `traceparent`.
    pub trace: Option<String>,
    pub key: Option<IdempotencyKey>,
    /// Size of the body.
    pub bytes: usize,
    #[expect(dead_code, reason = "is returned when it is dropped")]
    pub memory: BodyMemory,
    #[expect(dead_code, reason = "the same")]
    pub permit: RequestPermit,
}

impl Pending {
    /// The job that it makes.
    pub fn new_job(&self, state: &ApiState) -> NewJob<'_> {
        new_job(state, &self.caller, &self.submission, self.trace.as_deref())
    }
}

pub(super) fn new_job<'a>(
    state: &ApiState,
    caller: &'a Caller,
    submission: &'a Submission,
    trace_context: Option<&'a str>,
) -> NewJob<'a> {
    NewJob {
        id: submission.told.as_ref().map_or_else(JobId::generate, |told| told.job_id),
        caller_id: caller.id,
        caller: &caller.name,
        external_id: submission.external_id.as_deref(),
        tags: &submission.tags,
        metadata: &submission.metadata,
        request: &submission.request,
        content: submission.content.as_deref(),
        media_id: submission.media,
        recording_sha: dedupe::recording_sha(caller.id, submission),
        deadline: state.deadline,
        trace_context,
        notify: submission.told.as_ref(),
    }
}

/// Checks that the URL of the recording will be valid when its turn comes, if it shows that.
async fn check_expiry(state: &ApiState, pending: &Pending) -> Result<(), ApiError> {
    let Some(at) = recording::expiry(state, &pending.submission.request)? else { return Ok(()) };
    recording::in_time(state, &mut *state.db.acquire().await?, pending.caller.id, at).await
}

/// What was accepted before stays so, whatever has become of the endpoint or the URL.
async fn earlier_or(
    state: &ApiState,
    key: Option<&IdempotencyKey>,
    error: ApiError,
) -> Result<Response, ApiError> {
    let earlier = match key {
        Some(key) => earlier(state, key).await?,
        None => None,
    };
    earlier.ok_or(error)
}

/// The response to an earlier request with this key.
async fn earlier(state: &ApiState, key: &IdempotencyKey) -> Result<Option<Response>, ApiError> {
    let mut tx = state.announcer.begin(&state.db).await?;
    match idempotency::reserve(&mut tx, key).await? {
        Replay::Stored { status, location, body } => {
            Ok(Some(idempotency::replayed(answer(status, &location, body, None)?)))
        }
        Replay::First => Ok(None),
    }
}

/// The key, the job and the response commit together.
async fn in_transaction(state: &ApiState, mut pending: Pending) -> Result<Response, ApiError> {
    let mut tx = state.announcer.begin(&state.db).await?;
    if let Some(key) = &pending.key
        && let Replay::Stored { status, location, body } =
            idempotency::reserve(&mut tx, key).await?
    {
        return Ok(idempotency::replayed(answer(status, &location, body, None)?));
    }
    let (caller_id, submission) = (pending.caller.id, &mut pending.submission);
    let resolved = media::resolve(&mut tx, caller_id, submission).await?;
    resolved.map_err(ApiError::ValidationFailed)?;
    dedupe::lock(&mut tx, caller_id, [&*submission]).await?;
    let new = pending.new_job(state);
    tracing::Span::current().record("job_id", tracing::field::display(new.id));
    let enqueued = dedupe::enqueue(&mut tx, state, &new, &pending.submission).await?;
    let (answer, response) = stored(enqueued)?;
    if let Some(key) = &pending.key {
        let StoredResponse { status, location, json } = answer;
        idempotency::record(&mut tx, key, status, &location, &json).await?;
    }
    tx.commit().await?;
    Ok(response)
}

/// The stored part of a response.
pub(super) struct StoredResponse {
    pub status: StatusCode,
    pub location: String,
    pub json: String,
}

pub(super) fn stored(job: Enqueued) -> Result<(StoredResponse, Response), ApiError> {
    let (status, job) = match job {
        Enqueued::New(job) => (StatusCode::ACCEPTED, job),
        Enqueued::Same(job) => (StatusCode::OK, job),
    };
    let view = JobView::from(job);
    let json = serde_json::to_string(&view).map_err(|error| ApiError::Internal(error.into()))?;
    let location = Links::of(view.id).job;
    let response = answer(status, &location, json.clone(), Some(&view.etag()))?;
    Ok((StoredResponse { status, location, json }, response))
}

/// The 202 of a new job or the 200 of an existing one, now or in response to an earlier request.
fn answer(
    status: StatusCode,
    location: &str,
    json: String,
    etag: Option<&str>,
) -> Result<Response, ApiError> {
    let mut response = (status, json).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::LOCATION, HeaderValue::from_str(location)?);
    if let Some(etag) = etag {
        headers.insert(header::ETAG, HeaderValue::from_str(etag)?);
    }
    if status == StatusCode::OK {
        headers.insert("deduplicated", HeaderValue::from_static("true"));
    }
    Ok(response)
}
