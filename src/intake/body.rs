//! The schema of a request body for the OpenAPI document. [`Submission`](super::Submission)
//! validates bodies; a test keeps the two consistent.
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{
        Array, Object, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type},
    },
};

use uuid::Uuid;

use super::dedupe::{DEDUPE, OVER_QUOTA};
use crate::provider::wire;

/// A recording to analyze. Unknown members are rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "contentUri": "https://media.example/calls/42.wav", "encoding": "Wav", "languageCode": "en-US",
    "audioType": "CallCenter", "insights": ["All"], "externalId": "call-42", "tags": ["support"],
}))]
#[expect(dead_code, reason = "describes the body")]
pub struct SubmitJob {
    /// URL from which the provider downloads the recording with a single GET, within minutes.
    /// Exactly one of `contentUri`, `media` and `content` is required.
    #[schema(format = "iri", pattern = "^https?://", max_length = 8192)]
    content_uri: Option<String>,
    /// The recording itself, as base64 (RFC 4648, section 4).
    #[schema(format = "byte", min_length = 1)]
    content: Option<String>,
    /// The id of an uploaded recording (`POST /v1/media`). `encoding` and `sampleRate` are then filled in.
    media: Option<Uuid>,
    /// Required unless `media` is given.
    #[schema(schema_with = encoding)]
    encoding: Option<String>,
    /// Language tag (BCP 47); default `en-US`. The provider supports only English.
    #[schema(pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length = 35)]
    language_code: Option<String>,
    /// Sample rate in Hz.
    #[schema(minimum = 1, maximum = 768_000)]
    sample_rate: Option<f64>,
    /// Where the recording was made: `Phone`, `RingCentral`, `GoogleMeet`, `Zoom` …
    #[schema(min_length = 1, max_length = 200)]
    source: Option<String>,
    #[schema(schema_with = audio_type)]
    audio_type: Option<String>,
    /// Each channel holds one speaker.
    separate_speaker_per_channel: Option<bool>,
    /// Number of speakers in the recording, including announcements; -1 if unknown.
    #[schema(minimum = -1)]
    speaker_count: Option<i32>,
    #[schema(schema_with = speaker_ids)]
    speaker_ids: Option<Vec<String>>,
    #[schema(schema_with = enrollment_ids)]
    enrollment_ids: Option<Vec<String>>,
    /// Ignore silence and noise; recommended.
    enable_voice_activity_detection: Option<bool>,
    #[schema(schema_with = insights)]
    insights: Option<Vec<String>>,
    /// Phrases to expect: up to 20 objects with 1 to 50 `phrases`.
    #[schema(max_items = 20)]
    speech_contexts: Option<Vec<SpeechContext>>,
    enable_punctuation: Option<bool>,
    enable_speaker_diarization: Option<bool>,
    /// Ask for the time of each word.
    enable_word_timings: Option<bool>,
    /// Your own name for the recording; jobs can be filtered by it.
    #[schema(min_length = 1, max_length = 200)]
    external_id: Option<String>,
    #[schema(schema_with = tags)]
    tags: Option<Vec<String>>,
    #[schema(schema_with = metadata)]
    metadata: Option<Map<String, Value>>,
    #[schema(schema_with = dedupe)]
    dedupe: Option<String>,
    #[schema(schema_with = over_quota)]
    over_quota: Option<String>,
    /// Who is told about the job. Default: every endpoint of yours that wants an event.
    notify: Option<NotifyOfJob>,
}

/// Who is told about a job.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "endpoint": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203" }))]
#[expect(dead_code, reason = "describes a part of the body")]
pub struct NotifyOfJob {
    /// Only this endpoint. With `url`, it may be left out while you have exactly one.
    #[schema(format = "uuid")]
    endpoint: Option<String>,
    /// Only this URL, for the events of the endpoint and signed with its secret. Credentials in it are stored encrypted
    /// and never shown.
    #[schema(format = "iri", pattern = "^https?://", max_length = 2048)]
    url: Option<String>,
    /// `true`: nobody.
    silent: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a part of the body")]
pub struct SpeechContext {
    #[schema(schema_with = phrases)]
    phrases: Vec<String>,
}

fn encoding() -> Object {
    one_of(wire::ENCODINGS).description(Some("Encoding of the recording. MP3 is `Mpeg`.")).build()
}

fn audio_type() -> Object {
    let about = "`CallCenter` has 2 or 3 speakers, `Meeting` 4 or more.";
    one_of_or_null(wire::AUDIO_TYPES, about)
}

fn dedupe() -> Object {
    let about = "Return your app's job of the same recording instead of creating one: with 200 and \
        `Deduplicated: true`, if one exists that is in progress or has a result. URLs are compared \
        without their credentials and expiry, and the members for the provider must be equal.";
    one_of_or_null(DEDUPE, about)
}

fn over_quota() -> Object {
    let about = "What to do if your app's quota is used up, or will be by its queued jobs: `wait` in \
        the queue until it resets (default), or `reject` the request with 429 `quota-exhausted`.";
    one_of_or_null(OVER_QUOTA, about)
}

fn one_of_or_null(names: &[&str], about: &str) -> Object {
    let values = names.iter().map(|name| Value::from(*name)).chain([Value::Null]);
    let values = ObjectBuilder::new().schema_type(or_null(Type::String)).enum_values(Some(values));
    values.description(Some(about)).build()
}

fn insights() -> Array {
    let about = "Insights to request; default `All`.";
    let names = list(one_of(wire::INSIGHTS), about).min_items(Some(1));
    names.max_items(Some(wire::INSIGHTS.len())).build()
}

fn speaker_ids() -> Array {
    list(text(200), "Enrolled speakers to recognize.").max_items(Some(100)).build()
}

fn enrollment_ids() -> Array {
    list(text(200), "Former name of `speakerIds`.").max_items(Some(100)).build()
}

fn tags() -> Array {
    list(text(64), "Your own labels; jobs can be filtered by them.").max_items(Some(20)).build()
}

fn metadata() -> Object {
    let about = "Stored and returned unchanged: at most 50 members and 8 KiB.";
    let any = ObjectBuilder::new().schema_type(or_null(Type::Object)).max_properties(Some(50));
    any.description(Some(about)).build()
}

fn phrases() -> Array {
    let phrases = list(text(1000), "Up to 50 phrases.").schema_type(Type::Array);
    phrases.min_items(Some(1)).max_items(Some(50)).build()
}

fn one_of(names: &[&str]) -> ObjectBuilder {
    let values: Vec<&str> = names.to_vec();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values))
}

fn text(max_length: usize) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.min_length(Some(1)).max_length(Some(max_length))
}

/// A list that may also be null, which is equivalent to leaving it out.
fn list(items: ObjectBuilder, about: &str) -> ArrayBuilder {
    let items = RefOr::T(Schema::Object(items.build()));
    let list = ArrayBuilder::new().items(items).description(Some(about));
    list.schema_type(or_null(Type::Array))
}

fn or_null(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}
