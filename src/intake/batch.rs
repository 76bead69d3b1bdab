//! `POST /v1/jobs/batch`: many recordings at once, each accepted or rejected on its own.
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Submission, SubmitJob,
    dedupe::{self, Enqueued},
    handler::new_job,
    media, notify,
    validation::member,
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState, JobView, Problem,
        idempotency::{self, Replay},
        problems::{Code, OF_BODY, Problems, codes},
    },
    callers::Caller,
    http::{Fault, Faults, NoParameters},
    jobs::Change,
    json, telemetry,
};

const MAX_JOBS: usize = 100;
/// Errors listed per item: the response is stored, and there may be many items.
const MAX_FAULTS: usize = 10;

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(submit_batch))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "jobs": [
    { "contentUri": "https://media.example/calls/42.wav", "encoding": "Wav" },
    { "contentUri": "https://media.example/calls/43.wav", "encoding": "Wav" },
]}))]
#[expect(dead_code, reason = "describes the body; items() checks it, fault by fault")]
pub struct SubmitBatch {
    #[schema(min_items = 1, max_items = 100)]
    jobs: Vec<SubmitJob>,
}

/// The outcome of each item, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "data": [{
    "index": 1, "status": 422,
    "problem": {
        "type": "/docs/errors#validation-failed", "title": "Invalid request", "status": 422,
        "detail": "the request has 1 fault(s); see errors", "code": "validation-failed",
        "errors": [{ "pointer": "#/encoding", "code": "missing", "detail": "is required" }],
    },
}]}))]
pub struct BatchView {
    data: Vec<ItemView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum ItemView {
    Accepted {
        /// Index in `jobs`, from 0.
        index: usize,
        /// 202, or with `dedupe` 200 for an existing job.
        #[schema(example = 202)]
        status: u16,
        job: Box<JobView>,
    },
    Refused {
        index: usize,
        #[schema(example = 422)]
        status: u16,
        /// Its pointers are relative to the item.
        problem: Box<Problem>,
    },
}

/// Submit up to 100 recordings at once.
///
/// Each item is accepted (202, or with `dedupe` 200 for an existing job) or rejected (422, or 429 for
/// `overQuota`) on its own; accepted jobs and this response are stored in one transaction. If the request is repeated with the same `Idempotency-Key` and body
/// within 24 hours, the stored response is returned.
#[utoipa::path(
    post, path = "/v1/jobs/batch", operation_id = "submitJobs", tag = "jobs",
    params((
        "Idempotency-Key" = String, Header,
        pattern = "^(\"[!-~]{1,253}\"|[!#-~][!-~]{0,254})$",
        description = "1 to 255 visible ASCII characters; may be quoted",
    )),
    request_body = SubmitBatch,
    responses(
        (status = OK, body = BatchView),
        Problems<{ OF_BODY | codes(&[Code::IdempotencyKeyReused]) }>,
    ),
    security(("key" = ["jobs:write"])),
    extensions(("x-rate-weight" = json!(10))),
)]
async fn submit_batch(
    State(state): State<ApiState>,
    caller: Caller,
    _query: ApiQuery<NoParameters>,
    headers: HeaderMap,
    body: ApiJson,
) -> Result<Response, ApiError> {
    let key = idempotency::key(&headers, &caller, "POST /v1/jobs/batch", &body.bytes)?;
    let missing =
        || ApiError::invalid_parameter("Idempotency-Key", "missing", "is required for a batch");
    let key = key.ok_or_else(missing)?;
    let items = items(body.value).map_err(ApiError::ValidationFailed)?;
    let texts = texts(&items, &body.bytes);
    let mut read = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let text = texts.get(index).map_or("", |text| text.get());
        read.push(match Submission::read(item, text.as_bytes()) {
            Ok(mut submission) => {
                notify::resolve(&state, &caller, &mut submission).await?.map(|()| submission)
            }
            Err(faults) => Err(faults),
        });
    }
    let mut tx = state.announcer.begin(&state.db).await?;
    if let Replay::Stored { body, .. } = idempotency::reserve(&mut tx, &key).await? {
        return Ok(idempotency::replayed(answer(body)));
    }
    let trace = telemetry::to_store(&headers);
    let mut submissions = Vec::with_capacity(read.len());
    for read in read {
        submissions.push(match read {
            Ok(mut submission) => {
                media::resolve(&mut tx, caller.id, &mut submission).await?.map(|()| submission)
            }
            Err(faults) => Err(faults),
        });
    }
    dedupe::lock(&mut tx, caller.id, submissions.iter().flatten()).await?;
    let mut data = Vec::with_capacity(submissions.len());
    for (index, read) in submissions.into_iter().enumerate() {
        data.push(submit(&mut tx, &state, &caller, trace.as_deref(), index, read).await?);
    }
    let json = serde_json::to_string(&BatchView { data })
        .map_err(|error| ApiError::Internal(error.into()))?;
    idempotency::record(&mut tx, &key, StatusCode::OK, "", &json).await?;
    tx.commit().await?;
    Ok(answer(json))
}

async fn submit(
    tx: &mut Change<'_>,
    state: &ApiState,
    caller: &Caller,
    trace: Option<&str>,
    index: usize,
    read: Result<Submission, Faults>,
) -> Result<ItemView, ApiError> {
    let enqueued = match read {
        Ok(submission) => {
            let new = new_job(state, caller, &submission, trace);
            dedupe::enqueue(tx, state, &new, &submission).await
        }
        Err(faults) => Err(ApiError::ValidationFailed(faults.at_most(MAX_FAULTS))),
    };
    let (status, job) = match enqueued {
        Ok(Enqueued::New(job)) => (202, job),
        Ok(Enqueued::Same(job)) => (200, job),
        Err(
            error @ (ApiError::ValidationFailed(_)
            | ApiError::QuotaExhausted(_)
            | ApiError::ExpiresTooSoon(_)),
        ) => {
            let problem = Problem::from(error);
            let status = problem.status;
            return Ok(ItemView::Refused { index, status, problem: Box::new(problem) });
        }
        Err(error) => return Err(error),
    };
    Ok(ItemView::Accepted { index, status, job: Box::new(job.into()) })
}

/// The items of a batch, not validated yet.
fn items(body: Value) -> Result<Vec<Value>, Faults> {
    let Value::Object(mut body) = body else {
        return Err(Fault::at("#", "type", "the body must be a JSON object").into());
    };
    let jobs = body.shift_remove("jobs");
    let mut faults = Faults::default();
    for name in body.keys() {
        let detail = "is not a known member; the only one is jobs";
        faults.add(|| Fault::at(member("#", name), "unknown", detail));
    }
    let items = match jobs {
        None => {
            faults.push(Fault::at("#/jobs", "missing", "is required"));
            Vec::new()
        }
        Some(Value::Array(items)) => {
            if !(1..=MAX_JOBS).contains(&items.len()) {
                let detail = format!("must have 1 to {MAX_JOBS} items");
                faults.push(Fault::at("#/jobs", "length", detail));
            }
            items
        }
        Some(_) => {
            faults.push(Fault::at("#/jobs", "type", "must be an array of objects"));
            Vec::new()
        }
    };
    if faults.is_empty() { Ok(items) } else { Err(faults) }
}

/// The original texts of the items, if those contain more than the parsed values.
fn texts<'a>(items: &[Value], text: &'a [u8]) -> Vec<&'a RawValue> {
    if !items.iter().any(json::may_be_rough) {
        return Vec::new();
    }
    let jobs = json::member(text, "jobs").map(|jobs| serde_json::from_str(jobs.get()));
    jobs.and_then(Result::ok).unwrap_or_default()
}

fn answer(json: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
}
