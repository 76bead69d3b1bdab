//! `PUT /v1/jobs/{id}/speakers`.
use std::{borrow::Cow, collections::BTreeMap};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder, Type},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    commands::Refused,
    validation::{member, no_nul, text},
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState, JobView, OwnedJob, paths,
        problems::{Code, OF_BODY, OF_RESULT, Problems, codes},
    },
    callers::CallerId,
    http::{self, Fault, Faults, NoParameters},
    insights::{self, SpeakersView},
    jobs::{self, Change, EventKind, JobId, Note},
    partitions,
};

const MAX_NAME_CHARS: usize = 200;
/// Not blank, and without control characters.
const ONE_LINE: &str = r"^[^\x00-\x1F\x7F-\x9F]*\S[^\x00-\x1F\x7F-\x9F]*$";

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(name_speakers))
}

/// Name the speakers of a result.
///
/// The names, by `speakerId`, replace all earlier ones; an empty object removes them. They appear
/// wherever the speakers do, including transcripts; the result stays as the provider sent it. With
/// the `ETag` of the job or of its speakers in `If-Match`, names change only if that is still the
/// current version.
#[utoipa::path(
    put, path = paths::SPEAKERS, operation_id = "nameSpeakers", tag = "results",
    params(("id" = Uuid, Path), ("If-Match" = Option<String>, Header)),
    request_body(
        content = Names,
        description = "Names of 1 to 200 characters, by `speakerId`",
        example = json!({ "0": "Rachel", "1": "Tom" }),
    ),
    responses(
        (status = OK, body = SpeakersView, headers(("ETag" = String))),
        Problems<{ OF_RESULT | OF_BODY | codes(&[Code::PreconditionFailed]) }>,
    ),
    // The response shows the speakers.
    security(("key" = ["jobs:write", "transcript:read"])),
)]
async fn name_speakers(
    State(state): State<ApiState>,
    asked: OwnedJob,
    ApiQuery(_none): ApiQuery<NoParameters>,
    headers: HeaderMap,
    body: ApiJson,
) -> Result<Response, ApiError> {
    let mut tx = state.announcer.begin(&state.db).await?;
    let job = name(&mut tx, &asked, body.value, &headers).await?;
    let speakers = insights::speakers(&mut tx, job.id).await?;
    tx.commit().await?;
    let headers =
        [(header::ETAG, job.etag()), (header::CACHE_CONTROL, "private, no-store".to_owned())];
    Ok((headers, Json(speakers)).into_response())
}

/// Names the speakers of the job, if its version is the one in `If-Match`.
///
/// # Errors
/// If there is no result, if the names are not valid or not of its speakers, or `precondition-failed`.
async fn name(
    tx: &mut Change<'_>,
    asked: &OwnedJob,
    given: Value,
    headers: &HeaderMap,
) -> Result<JobView, ApiError> {
    partitions::ensure_of(tx, &[asked.id]).await?;
    jobs::lock_own(tx, asked.caller.id, &[asked.id]).await?;
    let mut job = JobView::from(asked.completed(&mut ***tx).await?);
    let known = insights::speaker_ids(&mut ***tx, &[job.id]).await?.remove(&job.id);
    let names = names(given, &known.unwrap_or_default()).map_err(ApiError::ValidationFailed)?;
    // The last check: RFC 9110, section 13.2.1.
    if !http::if_match(headers, &job.etag()) {
        return Err(ApiError::PreconditionFailed(job.etag()));
    }
    if set_names(tx, &[job.id], &names).await? > 0 {
        job.version += 1;
    }
    Ok(job)
}

/// Names the speakers of those of the jobs that have such speakers, and refuses the others. The names must be valid.
pub async fn name_all(
    tx: &mut Change<'_>,
    caller_id: CallerId,
    ids: &[JobId],
    names: &BTreeMap<String, String>,
) -> Result<Refused, ApiError> {
    partitions::ensure_of(tx, ids).await?;
    let own = jobs::lock_own(tx, caller_id, ids).await?;
    let known = insights::speaker_ids(&mut ***tx, ids).await?;
    let (mut open, mut refused) = (Vec::new(), Refused::new());
    for id in ids.iter().copied() {
        let error = match own.get(&id) {
            None => ApiError::JobNotFound(id.to_string()),
            Some(job) if !job.has_result() => ApiError::no_result(job),
            Some(_) => {
                let known = known.get(&id).map_or(&[][..], Vec::as_slice);
                let mut faults = Faults::default();
                for name in names.keys().filter(|name| !known.contains(name)) {
                    faults.add(|| not_a_speaker(member("#", name), known));
                }
                if faults.is_empty() {
                    open.push(id);
                    continue;
                }
                ApiError::ValidationFailed(faults)
            }
        };
        refused.insert(id, error);
    }
    set_names(tx, &open, names).await?;
    Ok(refused)
}

/// Stores the names, and notes it in the timelines of the jobs where they were others; returns how many these are.
async fn set_names(
    tx: &mut Change<'_>,
    ids: &[JobId],
    names: &BTreeMap<String, String>,
) -> Result<usize, ApiError> {
    let changed = insights::name_speakers(tx, ids, names).await?;
    let detail = json!({ "speakerIds": names.keys().collect::<Vec<_>>() });
    let note = |job_id| Note { job_id, kind: EventKind::SpeakersNamed, detail: detail.clone() };
    let notes: Vec<Note> = changed.into_iter().map(note).collect();
    jobs::note(tx, &notes).await?;
    Ok(notes.len())
}

/// Describes the body: names by `speakerId`.
pub struct Names;

impl ToSchema for Names {
    fn name() -> Cow<'static, str> {
        "SpeakerNames".into()
    }
}

impl utoipa::PartialSchema for Names {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_NAME_CHARS))
            .pattern(Some(ONE_LINE));
        let name = AdditionalProperties::RefOr(RefOr::T(Schema::Object(name.build())));
        let names = ObjectBuilder::new().schema_type(Type::Object);
        RefOr::T(Schema::Object(names.additional_properties(Some(name)).build()))
    }
}

/// # Errors
/// All errors of the body, in its order.
fn names(body: Value, known: &[String]) -> Result<BTreeMap<String, String>, Faults> {
    let Value::Object(body) = body else {
        return Err(Fault::at("#", "type", "the body must be a JSON object").into());
    };
    let mut faults = Faults::default();
    for (id, value) in &body {
        let at = member("#", id);
        if known.contains(id) {
            check_name(&at, value, &mut faults);
        } else {
            faults.add(|| not_a_speaker(at, known));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let names = body.into_iter();
    Ok(names.filter_map(|(id, name)| Some((id, name.as_str()?.to_owned()))).collect())
}

fn not_a_speaker(at: String, known: &[String]) -> Fault {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let detail = format!("is not a speaker of this result; known are: {known}");
    Fault::at(at, "unknown", detail)
}

/// What is wrong with names, whosever they are.
pub fn faults_of_names(at: &str, names: &BTreeMap<String, String>) -> Faults {
    let mut faults = Faults::default();
    for (id, name) in names {
        check_name(&member(at, id), &name.as_str().into(), &mut faults);
    }
    faults
}

fn check_name(at: &str, value: &Value, faults: &mut Faults) {
    let before = faults.count();
    text(at, value, MAX_NAME_CHARS, faults);
    if faults.count() > before {
        return;
    }
    no_nul(at, value, faults);
    let name = value.as_str().unwrap_or_default();
    if name.contains(|c: char| c.is_control() && c != '\0') {
        faults.push(Fault::at(at, "format", "must be one line without control characters"));
    }
    if name.trim().is_empty() {
        faults.push(Fault::at(at, "format", "must not be blank"));
    }
}
