//! What a submission may ask for instead of a new job: the job of the same recording (`dedupe`), or an
//! error if its caller's quota is used up (`overQuota`).
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Submission, recording};
use crate::{
    api::{ApiError, ApiState},
    callers::CallerId,
    http::{Fault, Faults},
    jobs::{self, Change, Job, NewJob, RecordingSha},
};

/// Values of `dedupe`: the member that identifies the recording.
pub const DEDUPE: &[&str] = &["contentUri", "media"];
/// Values of `overQuota`.
pub const OVER_QUOTA: &[&str] = &["wait", REJECT];
pub const REJECT: &str = "reject";

/// A submission stored, or found to be stored already.
pub enum Enqueued {
    New(Job),
    /// The existing job of the same recording.
    Same(Job),
}

/// A member that a deduplicated submission needs.
pub fn relations(body: &Map<String, Value>, faults: &mut Faults) {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    if let Some(Value::String(by)) = body.get("dedupe")
        && DEDUPE.contains(&by.as_str())
        && !has(by)
    {
        let detail = format!("compares {by}, which the request does not have");
        faults.push(Fault::at("#/dedupe", "conflict", detail));
    }
}

/// Identifies the recording together with everything that is asked of the provider, for one caller.
/// `None` for a recording in the request itself.
pub fn recording_sha(caller_id: CallerId, submission: &Submission) -> Option<RecordingSha> {
    let request = &submission.request;
    // The same bytes are stored once for each caller, so the id says which they are.
    let recording = match submission.media {
        Some(id) => id.to_string(),
        None => jobs::comparable(request.get("contentUri")?.as_str()?)?,
    };
    let mut members: Vec<_> = request.iter().filter(|(name, _)| *name != "contentUri").collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    let parts = (caller_id.uuid(), recording, members);
    let text = serde_json::to_vec(&parts).ok()?;
    Some(Sha256::digest(text).into())
}

/// Stores the job, unless the submission asks for something else. Recordings must be locked before,
/// see [`lock`].
pub async fn enqueue(
    tx: &mut Change<'_>,
    state: &ApiState,
    new: &NewJob<'_>,
    submission: &Submission,
) -> Result<Enqueued, ApiError> {
    if let Some(recording) = new.recording_sha.as_ref().filter(|_| submission.dedupes)
        && let Some(job) = jobs::same_recording(tx, new.caller_id, recording).await?
    {
        tx.tally().deduplicated(new.caller);
        return Ok(Enqueued::Same(job));
    }
    if submission.rejects_over_quota
        && let Some(reset) = jobs::quota_reset(&mut ***tx, new.caller_id).await?
    {
        return Err(ApiError::QuotaExhausted(reset));
    }
    if let Some(at) = recording::expiry(state, new.request)? {
        recording::in_time(state, tx, new.caller_id, at).await?;
    }
    Ok(Enqueued::New(jobs::enqueue(tx, &state.seal, new).await?))
}

/// Locks the recordings of those submissions that are deduplicated.
pub async fn lock<'a>(
    tx: &mut Change<'_>,
    caller_id: CallerId,
    submissions: impl IntoIterator<Item = &'a Submission>,
) -> sqlx::Result<()> {
    let deduplicated = submissions.into_iter().filter(|submission| submission.dedupes);
    let recordings = deduplicated.filter_map(|it| recording_sha(caller_id, it));
    jobs::lock_recordings(tx, recordings.collect::<Vec<_>>()).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_recording_is_the_same_if_the_provider_is_asked_the_same() {
        let sha = |caller: u128, body: Value| {
            let submission = Submission::read(body, b"").unwrap();
            recording_sha(Uuid::from_u128(caller).into(), &submission)
        };
        let first =
            sha(1, json!({ "contentUri": "https://a.example/b?token=1", "encoding": "Wav" }));
        let same = json!({ "encoding": "Wav", "contentUri": "https://a.example/b?token=2" });
        assert_eq!(sha(1, same.clone()), first);
        assert_ne!(sha(2, same), first);
        let other = json!({ "contentUri": "https://a.example/b", "encoding": "Wav", "insights": ["Emotion"] });
        assert_ne!(sha(1, other), first);
        assert_eq!(sha(1, json!({ "content": "AAAA", "encoding": "Wav" })), None);
        let media = |id: &str| json!({ "media": id, "encoding": "Wav" });
        let id = "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203";
        assert!(sha(1, media(id)).is_some());
        assert_ne!(sha(1, media(id)), sha(1, media(&id.replace('3', "4"))));
    }
}
