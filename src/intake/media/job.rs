//! `media`: a job about an uploaded recording, in place of `contentUri` and `content`.
use serde_json::{Map, Value};
use sqlx::PgTransaction;
use uuid::Uuid;

use crate::intake::Submission;
use crate::{
    callers::CallerId,
    http::{Fault, Faults},
    media::{self, Media},
    provider::wire,
};

/// The member's rule; whether there is such a recording, only [`resolve`] knows.
pub fn media(at: &str, value: &Value, faults: &mut Faults) {
    match value.as_str() {
        None => faults.push(Fault::at(at, "type", "must be a string")),
        Some(text) if Uuid::try_parse(text).is_err() => {
            let detail = "must be the id of an uploaded recording (POST /v1/media)";
            faults.push(Fault::at(at, "format", detail));
        }
        Some(_) => {}
    }
}

/// Exactly one member says where the recording is. `encoding` is known of an uploaded one.
pub fn relations(body: &Map<String, Value>, faults: &mut Faults) {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let given: Vec<&str> =
        ["contentUri", "content", "media"].into_iter().filter(|name| has(name)).collect();
    match &given[..] {
        [] => {
            let detail = "give contentUri, media or content";
            faults.push(Fault::at("#/contentUri", "missing", detail));
        }
        [_] => {}
        [first, others @ ..] => {
            for other in others {
                let detail = format!("give either {first} or {other}, not both");
                faults.push(Fault::at(format!("#/{other}"), "conflict", detail));
            }
        }
    }
    if !has("encoding") && !has("media") {
        let known = wire::ENCODINGS.join(", ");
        faults.push(Fault::at("#/encoding", "missing", format!("is required: one of {known}")));
    }
}

/// Fills in what is known about the uploaded recording, which then stays until the transaction ends.
///
/// The faults are about the request: there is no such recording, or it is another than the request says.
pub async fn resolve(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    submission: &mut Submission,
) -> sqlx::Result<Result<(), Faults>> {
    let Some(id) = submission.media else { return Ok(Ok(())) };
    let found = media::lock_for_job(tx, caller_id, id).await?;
    let unknown = || {
        let detail = "there is no such recording; upload it with POST /v1/media";
        Fault::at("#/media", "unknown", detail).into()
    };
    Ok(found.ok_or_else(unknown).and_then(|media| fill_in(&media, &mut submission.request)))
}

fn fill_in(media: &Media, request: &mut Map<String, Value>) -> Result<(), Faults> {
    let mut faults = Faults::default();
    let encoding = media.encoding.as_str();
    if request.get("encoding").is_some_and(|given| given != encoding) {
        let detail = format!("the uploaded recording is {encoding}; omit it");
        faults.push(Fault::at("#/encoding", "conflict", detail));
    }
    let rate = f64::from(media.sample_rate);
    if request.get("sampleRate").is_some_and(|given| given.as_f64() != Some(rate)) {
        let detail = format!("the uploaded recording has {rate} Hz; omit it");
        faults.push(Fault::at("#/sampleRate", "conflict", detail));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    request.insert("encoding".to_owned(), encoding.into());
    request.insert("sampleRate".to_owned(), media.sample_rate.into());
    Ok(())
}
