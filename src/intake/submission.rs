//! Turns a request body into a submission, or into the list of all its errors.
use serde_json::{Map, Value, value::RawValue};
use uuid::Uuid;

use super::{
    dedupe, media,
    notify::Notify,
    validation::{MAX_METADATA, OWN_MEMBERS, PROVIDER_MEMBERS, member, no_nul},
};
use crate::{
    http::{Fault, Faults, closest},
    jobs::JobNotify,
    json,
    provider::wire,
};

/// A valid request, with the defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    pub external_id: Option<String>,
    pub tags: Vec<String>,
    /// A JSON object as text.
    pub metadata: String,
    /// The request for the provider, in the caller's order, without `content`.
    pub request: Map<String, Value>,
    pub content: Option<String>,
    /// The uploaded recording; `media::resolve` says whether there is one.
    pub media: Option<Uuid>,
    /// Whether a job of the same recording is returned instead of a new one.
    pub dedupes: bool,
    /// Whether it is rejected if it would wait for a quota.
    pub rejects_over_quota: bool,
    pub notify: Option<Notify>,
    /// The same with a vetted URL, once it is resolved.
    pub told: Option<JobNotify>,
}

impl Submission {
    /// `text`: the JSON that `body` was parsed from; empty if no number in it exceeds 64 bits.
    ///
    /// # Errors
    /// All errors of the body, in its order.
    pub fn read(body: Value, text: &[u8]) -> Result<Self, Faults> {
        let Value::Object(mut body) = body else {
            return Err(Fault::at("#", "type", "the body must be a JSON object").into());
        };
        let mut faults = faults(&body);
        relations(&body, &mut faults);
        dedupe::relations(&body, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let metadata = exact_metadata(&body, text);
        if metadata.len() > MAX_METADATA {
            let detail = format!("must be at most {MAX_METADATA} bytes of JSON");
            return Err(Fault::at("#/metadata", "length", detail).into());
        }
        let dedupe = body.shift_remove("dedupe");
        let over_quota = body.shift_remove("overQuota");
        let external_id = body.shift_remove("externalId");
        let tags = body.shift_remove("tags");
        body.shift_remove("metadata");
        let content = body.shift_remove("content");
        let media = body.shift_remove("media");
        let notify = body.shift_remove("notify");
        body.retain(|_, value| !value.is_null());
        if let Some(count) = body.get_mut("speakerCount") {
            *count = json::whole(count).into();
        }
        for (name, default) in [
            ("languageCode", Value::from(wire::DEFAULT_LANGUAGE)),
            ("insights", Value::from(vec!["All"])),
        ] {
            body.entry(name).or_insert(default);
        }
        Ok(Self {
            external_id: external_id.as_ref().and_then(Value::as_str).map(str::to_owned),
            tags: tags.map(texts).unwrap_or_default(),
            metadata,
            content: match content {
                Some(Value::String(text)) => Some(text),
                _ => None,
            },
            media: media.as_ref().and_then(Value::as_str).and_then(|id| id.parse().ok()),
            dedupes: dedupe.is_some_and(|by| !by.is_null()),
            rejects_over_quota: over_quota.is_some_and(|it| it == dedupe::REJECT),
            notify: notify.as_ref().and_then(Notify::read),
            told: None,
            request: body,
        })
    }
}

/// The metadata as JSON text, with every digit from `text`.
fn exact_metadata(body: &Map<String, Value>, text: &[u8]) -> String {
    match body.get("metadata") {
        Some(value @ Value::Object(_)) if json::may_be_rough(value) => {
            json::exact(value, json::member(text, "metadata").map_or("", RawValue::get))
        }
        Some(value @ Value::Object(_)) => value.to_string(),
        _ => "{}".to_owned(),
    }
}

/// Names of all members that a request may have.
pub fn known_members() -> impl Iterator<Item = &'static str> {
    PROVIDER_MEMBERS.iter().chain(OWN_MEMBERS).map(|(name, _)| *name)
}

/// Validates each member on its own. Null counts as absent.
fn faults(body: &Map<String, Value>) -> Faults {
    let mut faults = Faults::default();
    for (name, value) in body {
        let at = member("#", name);
        match PROVIDER_MEMBERS.iter().chain(OWN_MEMBERS).find(|(known, _)| known == name) {
            None => faults.add(|| {
                let hint = closest(name, known_members());
                Fault::at(&at, "unknown", format!("is not a known member{hint}"))
            }),
            Some(_) if value.is_null() => {}
            Some((_, rule)) => {
                let before = faults.count();
                rule(&at, value, &mut faults);
                // Only a valid member is small enough to be searched.
                if faults.count() == before {
                    no_nul(&at, value, &mut faults);
                }
            }
        }
    }
    faults
}

/// Constraints between members.
fn relations(body: &Map<String, Value>, faults: &mut Faults) {
    let has = |name| body.get(name).is_some_and(|value| !value.is_null());
    media::relations(body, faults);
    if has("speakerIds") && has("enrollmentIds") {
        let detail = "is the former name of speakerIds; give one of them";
        faults.push(Fault::at("#/enrollmentIds", "conflict", detail));
    }
}

fn texts(list: Value) -> Vec<String> {
    let Value::Array(items) = list else { return Vec::new() };
    items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Submission, Faults> {
        Submission::read(body, b"")
    }

    fn codes(body: Value) -> Vec<String> {
        let faults = read(body).unwrap_err();
        faults
            .into_listed()
            .into_iter()
            .map(|fault| format!("{} {}", fault.pointer.unwrap(), fault.code))
            .collect()
    }

    #[test]
    fn the_smallest_request_gets_the_defaults() {
        let body = json!({"contentUri": "https://media.example/call.wav", "encoding": "Wav"});
        let read = read(body).unwrap();
        assert_eq!(
            Value::Object(read.request),
            json!({"contentUri": "https://media.example/call.wav", "encoding": "Wav",
                "languageCode": "en-US", "insights": ["All"]}),
        );
    }

    #[test]
    fn all_faults_come_at_once_with_their_pointers() {
        let body = json!({
            "contentUri": "ftp://media.example/a.wav", "encoding": "mp3", "speakerCount": 2.5,
            "sampleRate": "8k", "insights": ["All", "Mood"], "tags": ["ok", ""],
            "speechContexts": [{"phrases": []}, {"words": 1}], "contentURI": 1,
            "metadata": {"a/b": "x\u{0}"},
        });
        assert_eq!(
            codes(body),
            [
                "#/contentUri scheme",
                "#/encoding enum",
                "#/speakerCount range",
                "#/sampleRate type",
                "#/insights/1 enum",
                "#/tags/1 length",
                "#/speechContexts/0/phrases length",
                "#/speechContexts/1/words unknown",
                "#/speechContexts/1/phrases missing",
                "#/contentURI unknown",
                "#/metadata/a~1b nul",
            ]
        );
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        let body = json!({"content": "AAAA", "encoding": "Wav", "speakerCount": 2.0});
        assert_eq!(read(body).unwrap().request["speakerCount"].to_string(), "2");
    }

    #[test]
    fn exactly_one_source_of_audio() {
        assert_eq!(codes(json!({"encoding": "Wav"})), ["#/contentUri missing"]);
        let both =
            json!({"encoding": "Wav", "content": "AAAA", "contentUri": "https://a.example/b"});
        assert_eq!(codes(both), ["#/content conflict"]);
        assert_eq!(
            codes(json!({"encoding": "Wav", "content": "no base64!"})),
            ["#/content base64"]
        );
    }

    #[test]
    fn an_unknown_member_names_the_closest() {
        let body =
            json!({"contentUri": "https://a.example/b", "encoding": "Wav", "speakercount": 2});
        let faults = read(body).unwrap_err();
        assert!(faults.listed()[0].detail.ends_with("did you mean speakerCount?"), "{faults:?}");
    }

    proptest! {
        #[test]
        fn no_member_value_panics(name in "[a-zA-Z]{1,12}", text in ".{0,20}", number: f64) {
            for value in [json!(text), json!(number), json!([text]), json!({"phrases": [number]})] {
                for known in known_members() {
                    let _ = read(json!({known: value.clone(), name.as_str(): 1}));
                }
            }
        }
    }
}
