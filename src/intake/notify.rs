//! `notify`: who is told about a job, in place of all endpoints of its caller.
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use super::{Submission, validation::member};
use crate::{
    api::{ApiError, ApiState},
    callers::Caller,
    egress, endpoints,
    http::{Fault, Faults, closest},
    jobs::{JobId, JobNotify, NotifyChoice},
    seal::Place,
};

const MAX_URL_CHARS: usize = 2048;
const MEMBERS: [&str; 3] = ["endpoint", "url", "silent"];

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notify {
    /// No endpoint is told.
    Silent,
    /// Only this endpoint, or a URL with the secret of this endpoint.
    To { endpoint: Option<Uuid>, url: Option<Url> },
}

/// The rule of the member.
pub fn notify(at: &str, value: &Value, faults: &mut Faults) {
    let Some(given) = value.as_object() else {
        faults.push(Fault::at(at, "type", "must be an object with endpoint, url or silent"));
        return;
    };
    for name in given.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        let hint = closest(name, MEMBERS.into_iter());
        faults
            .add(|| Fault::at(member(at, name), "unknown", format!("is not a known member{hint}")));
    }
    let has = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
    if let Some(value) = given.get("endpoint").filter(|value| !value.is_null()) {
        let id = value.as_str().map(str::parse::<Uuid>);
        if !matches!(id, Some(Ok(_))) {
            let detail = "must be the id of an endpoint";
            faults.push(Fault::at(format!("{at}/endpoint"), "format", detail));
        }
    }
    if let Some(value) = given.get("url").filter(|value| !value.is_null()) {
        url(&format!("{at}/url"), value, faults);
    }
    match given.get("silent") {
        None | Some(Value::Null | Value::Bool(false)) if !has("endpoint") && !has("url") => {
            faults.push(Fault::at(at, "missing", "give endpoint, url, or silent: true"));
        }
        Some(Value::Bool(true)) if has("endpoint") || has("url") => {
            let detail = "is true, so give neither endpoint nor url";
            faults.push(Fault::at(format!("{at}/silent"), "conflict", detail));
        }
        None | Some(Value::Null | Value::Bool(_)) => {}
        Some(_) => faults.push(Fault::at(format!("{at}/silent"), "type", "must be true or false")),
    }
}

fn url(at: &str, value: &Value, faults: &mut Faults) {
    let Some(text) = value.as_str() else {
        faults.push(Fault::at(at, "type", "must be a string"));
        return;
    };
    if text.chars().nth(MAX_URL_CHARS).is_some() {
        let detail = format!("must have at most {MAX_URL_CHARS} characters");
        faults.push(Fault::at(at, "length", detail));
        return;
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {}
        Ok(_) => faults.push(Fault::at(at, "scheme", "must be an https URL")),
        Err(error) => {
            faults.push(Fault::at(at, "format", format!("must be an absolute URL: {error}")));
        }
    }
}

impl Notify {
    /// A value that follows the rule.
    pub fn read(value: &Value) -> Option<Self> {
        let given = value.as_object()?;
        if given.get("silent") == Some(&Value::Bool(true)) {
            return Some(Self::Silent);
        }
        let text = |name: &str| given.get(name).and_then(Value::as_str);
        Some(Self::To {
            endpoint: text("endpoint").and_then(|id| id.parse().ok()),
            url: text("url").and_then(|url| url.parse().ok()),
        })
    }
}

/// What is stored in the job, in the names of the trigger that reads it.
#[derive(Serialize)]
struct Stored {
    #[serde(flatten)]
    choice: NotifyChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<Uuid>,
}

/// Finds the endpoint and vets the URL, before the transaction begins: names must be resolved.
///
/// # Errors
/// The inner ones are faults of the request: the caller has no such endpoint, or nothing may be sent to the URL.
pub async fn resolve(
    state: &ApiState,
    caller: &Caller,
    submission: &mut Submission,
) -> Result<Result<(), Faults>, ApiError> {
    let (endpoint, url) = match &submission.notify {
        None => return Ok(Ok(())),
        Some(Notify::Silent) => {
            let choice = NotifyChoice { silent: Some(true), ..NotifyChoice::default() };
            let silent = Stored { choice, lane: None };
            submission.told = Some(stored(JobId::generate(), &silent, None)?);
            return Ok(Ok(()));
        }
        Some(Notify::To { endpoint, url }) => (endpoint, url),
    };
    let mut faults = Faults::default();
    let endpoint = match find(state, caller, *endpoint).await? {
        Ok(id) => Some(id),
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    if let Some(url) = url
        && let Err(refused) = state.sender.guard().vet(url).await
    {
        faults.push(Fault::at("#/notify/url", refused.code(), refused.to_string()));
    }
    let Some(id) = endpoint.filter(|_| faults.is_empty()) else { return Ok(Err(faults)) };
    let job_id = JobId::generate();
    let place = Place { table: "jobs", row: job_id.uuid() };
    let sealed = url.as_ref().map(|url| state.seal.seal(place, url.as_str().as_bytes()));
    let url_shown = url.as_ref().map(egress::masked);
    let choice = NotifyChoice { endpoint: Some(id), url: url_shown, silent: None };
    let to = Stored { choice, lane: url.as_ref().map(|url| lane(id, url)) };
    submission.told = Some(stored(job_id, &to, sealed)?);
    Ok(Ok(()))
}

fn stored(job_id: JobId, to: &Stored, url: Option<Vec<u8>>) -> Result<JobNotify, ApiError> {
    let json = serde_json::to_string(to).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(JobNotify { job_id, json, url })
}

/// The named endpoint, or the only one of the caller.
async fn find(
    state: &ApiState,
    caller: &Caller,
    id: Option<Uuid>,
) -> Result<Result<Uuid, Fault>, ApiError> {
    let all = i64::from(state.notify.endpoints_per_caller);
    let rows = endpoints::list(&state.db, caller.id, None, all).await?;
    let ids: Vec<Uuid> = rows.into_iter().map(|endpoint| endpoint.id).collect();
    Ok(match (id, &ids[..]) {
        (Some(id), ids) if ids.contains(&id) => Ok(id),
        (Some(_), _) => {
            Err(Fault::at("#/notify/endpoint", "not-found", "this caller has no such endpoint"))
        }
        (None, [only]) => Ok(*only),
        (None, []) => {
            let detail = "an endpoint signs it: create one first (POST /v1/endpoints)";
            Err(Fault::at("#/notify/endpoint", "missing", detail))
        }
        (None, _) => {
            let detail = "name the endpoint whose secret signs it: you have several";
            Err(Fault::at("#/notify/endpoint", "missing", detail))
        }
    })
}

/// Messages to one host share a lane, so that a dead host delays no other.
fn lane(endpoint: Uuid, url: &Url) -> Uuid {
    let mut digest = Sha256::new_with_prefix(endpoint.as_bytes());
    digest.update(url.host_str().unwrap_or_default());
    digest.update(url.port_or_known_default().unwrap_or_default().to_be_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    uuid::Builder::from_custom_bytes(*digest.first_chunk().unwrap_or(&[0; 16])).into_uuid()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn codes(value: &Value) -> Vec<String> {
        let mut faults = Faults::default();
        notify("#/notify", value, &mut faults);
        let listed = faults.into_listed().into_iter();
        listed.map(|fault| format!("{} {}", fault.pointer.unwrap(), fault.code)).collect()
    }

    #[test]
    fn all_faults_come_at_once() {
        assert_eq!(codes(&json!("none")), ["#/notify type"]);
        assert_eq!(codes(&json!({})), ["#/notify missing"]);
        assert_eq!(
            codes(&json!({ "endpoint": 1, "url": "ftp://a.example", "silent": true, "to": 1 })),
            [
                "#/notify/to unknown",
                "#/notify/endpoint format",
                "#/notify/url scheme",
                "#/notify/silent conflict",
            ]
        );
    }

    #[test]
    fn a_lane_is_a_host_with_its_port() {
        let id = Uuid::from_u128(7);
        let of = |url: &str| lane(id, &url.parse().unwrap());
        assert_eq!(of("https://a.example/1"), of("https://a.example:443/2?x"));
        assert_ne!(of("https://a.example/1"), of("https://b.example/1"));
        assert_ne!(of("https://a.example/1"), of("http://a.example/1"));
    }
}
