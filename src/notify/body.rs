//! The body of a message: thin, so that what was said stays behind the API and its keys.
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    api::Links,
    jobs::{Channel, JobId},
    notifications::{Event, Subject},
};

/// A longer summary is left out: a body has less than 20 KiB.
const MAX_SUMMARY: usize = 14 * 1024;

/// What the caller wants to know about the job, beyond the event itself.
#[derive(Debug, Default)]
pub struct Included {
    pub external_id: Option<String>,
    /// For endpoints that include it.
    pub summary: Option<String>,
}

#[derive(Serialize)]
struct Body<'a, D> {
    r#type: &'a str,
    timestamp: String,
    data: D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobData<'a> {
    job_id: JobId,
    external_id: Option<&'a str>,
    status: &'a str,
    completed_via: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    links: Links,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointData {
    endpoint_id: Uuid,
    links: EndpointLinks,
}

#[derive(Serialize)]
struct EndpointLinks {
    #[serde(rename = "self")]
    endpoint: String,
    messages: String,
}

/// The JSON text of a message.
///
/// # Errors
/// When it cannot be serialized.
pub fn body(event: &Event, included: &Included) -> serde_json::Result<Vec<u8>> {
    let timestamp = shown(event.occurred_at);
    match event.subject {
        Subject::Job { id, completed_via, .. } => {
            let summary = included.summary.as_deref();
            let summary = summary.filter(|text| json_length(text) <= MAX_SUMMARY);
            let data = JobData {
                job_id: id,
                external_id: included.external_id.as_deref(),
                status: status(&event.kind),
                completed_via,
                summary,
                links: Links::of(id),
            };
            serde_json::to_vec(&Body { r#type: &event.kind, timestamp, data })
        }
        Subject::Endpoint(endpoint_id) => {
            let endpoint = format!("/v1/endpoints/{endpoint_id}");
            let links = EndpointLinks { messages: format!("{endpoint}/messages"), endpoint };
            let data = EndpointData { endpoint_id, links };
            serde_json::to_vec(&Body { r#type: &event.kind, timestamp, data })
        }
    }
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The state that an event leaves its job in.
fn status(kind: &str) -> &str {
    match kind.strip_prefix("job.") {
        Some("reparsed") => "completed",
        Some(state) => state,
        None => kind,
    }
}

/// Characters of a text as a JSON string, escapes included.
fn json_length(text: &str) -> usize {
    serde_json::to_string(text).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(kind: &str) -> Event {
        Event {
            kind: kind.to_owned(),
            subject: Subject::Job {
                id: Uuid::from_u128(7).into(),
                version: 4,
                completed_via: Some(Channel::Webhook),
            },
            occurred_at: DateTime::from_timestamp_millis(1_767_225_600_120).unwrap(),
        }
    }

    fn parsed(event: &Event, included: &Included) -> Value {
        serde_json::from_slice(&body(event, included).unwrap()).unwrap()
    }

    #[test]
    fn a_body_is_thin() {
        let included = Included { external_id: Some("call-42".to_owned()), summary: None };
        let mut body = parsed(&event("job.completed"), &included);
        assert_eq!(body["data"]["links"]["self"], format!("/v1/jobs/{}", Uuid::from_u128(7)));
        body["data"]["links"] = Value::Null;
        assert_eq!(
            body,
            json!({ "type": "job.completed", "timestamp": "2026-01-01T00:00:00.120Z", "data": {
                "jobId": Uuid::from_u128(7), "externalId": "call-42", "status": "completed",
                "completedVia": "webhook", "links": null,
            }})
        );
    }

    #[test]
    fn a_reparsed_job_is_a_completed_one() {
        assert_eq!(
            parsed(&event("job.reparsed"), &Included::default())["data"]["status"],
            "completed"
        );
        assert_eq!(
            parsed(&event("job.timed_out"), &Included::default())["data"]["status"],
            "timed_out"
        );
    }

    #[test]
    fn no_body_has_20_kib() {
        // A quote takes two bytes, as a control character takes six.
        for (text, is_there) in [("said".to_owned(), true), ("\u{1}".repeat(2400), false)] {
            let included = Included { external_id: Some("\u{1}".repeat(200)), summary: Some(text) };
            let text = body(&event("job.completed"), &included).unwrap();
            assert!(text.len() < 20 * 1024, "{}", text.len());
            let value: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(value["data"]["summary"].is_string(), is_there);
        }
    }

    #[test]
    fn an_id_is_the_same_for_an_event_and_another_for_a_replay() {
        let (event, id) = (event("job.completed"), Uuid::from_u128(7).simple());
        assert_eq!(event.message_id(""), format!("msg_{id}_4"));
        assert_eq!(event.message_id("0a1b"), format!("msg_{id}_4_0a1b"));
    }
}
