//! The members of a request body and their rules. Sources: the provider's developer guide (2022-12 to 2025-09) and
//! OpenAPI document; where they define limits, those apply.
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use url::Url;

use super::{dedupe, media::media, notify::notify};
use crate::{
    http::{Fault, Faults, closest},
    json,
    provider::wire,
};

const MAX_URI_CHARS: usize = 8192;
/// In bytes of JSON.
pub const MAX_METADATA: usize = 8 * 1024;
/// The length that RFC 5646, section 4.4.1, requires implementations to support.
const MAX_LANGUAGE: usize = 35;
/// Maximum number of speech contexts; each has up to 50 phrases.
const MAX_CONTEXTS: usize = 20;
const MAX_PHRASES: usize = 50;
const MAX_SPEAKERS: i64 = i32::MAX as i64;
/// Characters of a name used in an error's location; a pointer shows fewer.
const MAX_NAME: usize = 200;
/// The highest sample rate in use, with a margin: 8 × 96 kHz.
const MAX_SAMPLE_RATE: f64 = 768_000.0;

/// Validates one member; errors are added with a pointer below `at`.
type Rule = fn(at: &str, value: &Value, faults: &mut Faults);

/// Members that are passed on to the provider.
pub const PROVIDER_MEMBERS: &[(&str, Rule)] = &[
    ("contentUri", content_uri),
    ("content", content),
    ("encoding", encoding),
    ("languageCode", language_code),
    ("sampleRate", sample_rate),
    ("source", |at, value, faults| text(at, value, 200, faults)),
    ("audioType", |at, value, faults| one_of(at, value, wire::AUDIO_TYPES, faults)),
    ("separateSpeakerPerChannel", boolean),
    ("speakerCount", speaker_count),
    ("speakerIds", |at, value, faults| texts(at, value, 100, 200, faults)),
    ("enrollmentIds", |at, value, faults| texts(at, value, 100, 200, faults)),
    ("enableVoiceActivityDetection", boolean),
    ("insights", insights),
    ("speechContexts", speech_contexts),
    ("enablePunctuation", boolean),
    ("enableSpeakerDiarization", boolean),
    ("enableWordTimings", boolean),
];

/// Members that stay with Aftercall.
pub const OWN_MEMBERS: &[(&str, Rule)] = &[
    ("media", media),
    ("externalId", |at, value, faults| text(at, value, 200, faults)),
    ("tags", |at, value, faults| texts(at, value, 20, 64, faults)),
    ("metadata", metadata),
    ("dedupe", |at, value, faults| one_of(at, value, dedupe::DEDUPE, faults)),
    ("overQuota", |at, value, faults| one_of(at, value, dedupe::OVER_QUOTA, faults)),
    ("notify", notify),
];

pub fn content_uri(at: &str, value: &Value, faults: &mut Faults) {
    let Some(text) = value.as_str() else {
        faults.push(Fault::at(at, "type", "must be a string"));
        return;
    };
    if is_beyond(text, MAX_URI_CHARS) {
        faults.push(Fault::at(
            at,
            "length",
            format!("must have at most {MAX_URI_CHARS} characters"),
        ));
        return;
    }
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            faults.push(Fault::at(at, "scheme", "must be an http or https URL"));
        }
        Ok(_) => {}
        Err(error) => faults.push(Fault::at(
            at,
            "format",
            format!("must be an absolute http or https URL: {error}"),
        )),
    }
}

fn content(at: &str, value: &Value, faults: &mut Faults) {
    match value.as_str() {
        None => faults.push(Fault::at(at, "type", "must be a string")),
        Some("") => faults.push(Fault::at(at, "length", "must not be empty")),
        Some(text) => {
            if let Err(error) = STANDARD.decode(text) {
                let detail = format!("must be base64 (RFC 4648, section 4, padded): {error}");
                faults.push(Fault::at(at, "base64", detail));
            }
        }
    }
}

fn encoding(at: &str, value: &Value, faults: &mut Faults) {
    if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("mp3")) {
        // The closest name would be Mp4, which is wrong.
        faults.push(Fault::at(at, "enum", "MP3 is called Mpeg"));
        return;
    }
    one_of(at, value, wire::ENCODINGS, faults);
}

fn language_code(at: &str, value: &Value, faults: &mut Faults) {
    let is_tag = |text: &str| {
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        (2..=8).contains(&language.len())
            && language.bytes().all(|b| b.is_ascii_alphabetic())
            && parts
                .all(|p| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    match value.as_str() {
        None => faults.push(Fault::at(at, "type", "must be a string")),
        Some(text) if text.len() > MAX_LANGUAGE => {
            let detail = format!("must have at most {MAX_LANGUAGE} characters");
            faults.push(Fault::at(at, "length", detail));
        }
        Some(text) if !is_tag(text) => {
            faults.push(Fault::at(at, "format", "must be a language tag such as en-US (BCP 47)"));
        }
        Some(_) => {}
    }
}

fn sample_rate(at: &str, value: &Value, faults: &mut Faults) {
    match value.as_f64() {
        None => faults.push(Fault::at(at, "type", "must be a number")),
        Some(rate) if !(1.0..=MAX_SAMPLE_RATE).contains(&rate) => {
            faults.push(Fault::at(at, "range", format!("must be 1 to {MAX_SAMPLE_RATE} Hz")));
        }
        Some(_) => {}
    }
}

fn speaker_count(at: &str, value: &Value, faults: &mut Faults) {
    match json::whole(value) {
        Some(-1..=MAX_SPEAKERS) => {}
        _ if value.is_number() => faults.push(Fault::at(
            at,
            "range",
            "must be a whole number from -1 (unknown) to 2147483647",
        )),
        _ => faults.push(Fault::at(at, "type", "must be a whole number")),
    }
}

fn insights(at: &str, value: &Value, faults: &mut Faults) {
    match value.as_array() {
        None => faults.push(Fault::at(at, "type", "must be an array of strings")),
        Some(names) if names.is_empty() => {
            faults.push(Fault::at(
                at,
                "length",
                "must name at least one insight; omit it to request All",
            ));
        }
        Some(names) if names.len() > wire::INSIGHTS.len() => {
            let detail = format!("must have at most {} items", wire::INSIGHTS.len());
            faults.push(Fault::at(at, "length", detail));
        }
        Some(names) => {
            for (i, name) in names.iter().enumerate() {
                one_of(&format!("{at}/{i}"), name, wire::INSIGHTS, faults);
            }
        }
    }
}

fn speech_contexts(at: &str, value: &Value, faults: &mut Faults) {
    let Some(contexts) = value.as_array() else {
        faults.push(Fault::at(at, "type", "must be an array of objects with phrases"));
        return;
    };
    if contexts.len() > MAX_CONTEXTS {
        let detail = format!("must have at most {MAX_CONTEXTS} items");
        faults.push(Fault::at(at, "length", detail));
        return;
    }
    for (i, context) in contexts.iter().enumerate() {
        speech_context(&format!("{at}/{i}"), context, faults);
    }
}

fn speech_context(at: &str, context: &Value, faults: &mut Faults) {
    let Some(context) = context.as_object() else {
        faults.push(Fault::at(at, "type", "must be an object with phrases"));
        return;
    };
    for name in context.keys().filter(|name| *name != "phrases") {
        let detail = "is not a known member; the only one is phrases";
        faults.add(|| Fault::at(member(at, name), "unknown", detail));
    }
    let at = format!("{at}/phrases");
    match context.get("phrases") {
        None => faults.push(Fault::at(&at, "missing", "is required")),
        Some(Value::Array(phrases)) if phrases.is_empty() => {
            let detail = format!("must have 1 to {MAX_PHRASES} phrases");
            faults.push(Fault::at(&at, "length", detail));
        }
        Some(phrases) => texts(&at, phrases, MAX_PHRASES, 1000, faults),
    }
}

fn metadata(at: &str, value: &Value, faults: &mut Faults) {
    const MAX_KEYS: usize = 50;
    let Some(map) = value.as_object() else {
        faults.push(Fault::at(at, "type", "must be an object"));
        return;
    };
    if map.len() > MAX_KEYS {
        faults.push(Fault::at(at, "length", format!("must have at most {MAX_KEYS} members")));
    } else if json::is_longer(value, MAX_METADATA) {
        faults.push(Fault::at(
            at,
            "length",
            format!("must be at most {MAX_METADATA} bytes of JSON"),
        ));
    }
}

fn boolean(at: &str, value: &Value, faults: &mut Faults) {
    if !value.is_boolean() {
        faults.push(Fault::at(at, "type", "must be true or false"));
    }
}

pub fn text(at: &str, value: &Value, max: usize, faults: &mut Faults) {
    match value.as_str() {
        None => faults.push(Fault::at(at, "type", "must be a string")),
        Some(text) if text.is_empty() || is_beyond(text, max) => {
            faults.push(Fault::at(at, "length", format!("must have 1 to {max} characters")));
        }
        Some(_) => {}
    }
}

/// Whether a text has more than `max` characters; counts no further.
fn is_beyond(text: &str, max: usize) -> bool {
    text.chars().nth(max).is_some()
}

/// A list that is too long is a single error, whatever its items.
fn texts(at: &str, value: &Value, max: usize, max_chars: usize, faults: &mut Faults) {
    let Some(items) = value.as_array() else {
        faults.push(Fault::at(at, "type", "must be an array of strings"));
        return;
    };
    if items.len() > max {
        faults.push(Fault::at(at, "length", format!("must have at most {max} items")));
        return;
    }
    for (i, item) in items.iter().enumerate() {
        text(&format!("{at}/{i}"), item, max_chars, faults);
    }
}

fn one_of(at: &str, value: &Value, known: &[&str], faults: &mut Faults) {
    match value.as_str() {
        None => faults.push(Fault::at(at, "type", "must be a string")),
        Some(text) if !known.contains(&text) => {
            let hint = closest(text, known.iter().copied());
            faults.push(Fault::at(
                at,
                "enum",
                format!("must be one of {}{hint}", known.join(", ")),
            ));
        }
        Some(_) => {}
    }
}

/// Postgres cannot store NUL, neither in values nor in member names.
pub fn no_nul(at: &str, value: &Value, faults: &mut Faults) {
    // Most values have none, and building locations is expensive.
    if json::has_nul(value) {
        locate_nul(at, value, faults);
    }
}

fn locate_nul(at: &str, value: &Value, faults: &mut Faults) {
    const DETAIL: &str = "must not contain the character U+0000";
    match value {
        Value::String(text) if text.contains('\0') => faults.add(|| Fault::at(at, "nul", DETAIL)),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                locate_nul(&format!("{at}/{i}"), item, faults);
            }
        }
        Value::Object(map) => locate_in_members(at, map, faults),
        _ => {}
    }
}

fn locate_in_members(at: &str, map: &Map<String, Value>, faults: &mut Faults) {
    const DETAIL: &str = "member names must not contain the character U+0000";
    for (name, value) in map {
        let at = member(at, name);
        if name.contains('\0') {
            faults.add(|| Fault::at(&at, "nul", DETAIL));
        }
        locate_nul(&at, value, faults);
    }
}

/// Pointer to a member (RFC 6901: `~` and `/` are escaped). Long names are cut off, and U+0000 becomes U+FFFD.
pub fn member(at: &str, name: &str) -> String {
    let name: String = name.chars().take(MAX_NAME).collect();
    format!("{at}/{}", name.replace('\0', "\u{fffd}").replace('~', "~0").replace('/', "~1"))
}
