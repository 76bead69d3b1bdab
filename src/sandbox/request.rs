//! Parses a submission as strictly as the provider's documentation allows and reports all errors at
//! once.
//!
//! Unknown members are accepted: the provider's own samples send two that this call does not
//! document.
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::refusal::CaiError;
use crate::{config::SandboxSettings, provider::wire};

/// The parts of a submission that affect its result; stored in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalyzeRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_uri: Option<String>,
    /// The recording itself, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    pub separate_speaker_per_channel: bool,
    /// `None` when the service is to detect it.
    pub speaker_count: Option<usize>,
    pub speaker_ids: Vec<String>,
    pub enable_voice_activity_detection: bool,
    pub enable_word_timings: bool,
    pub insights: Vec<String>,
}

impl AnalyzeRequest {
    /// Whether the insight was requested, by name or through `All`.
    pub fn wants(&self, name: &str) -> bool {
        self.names("All") || self.names(name)
    }

    /// Whether the insight was requested by name.
    pub fn names(&self, name: &str) -> bool {
        self.insights.iter().any(|asked| asked == name)
    }
}

/// Validates `body`; errors are listed in the order of the documentation.
pub fn read(
    body: &Map<String, Value>,
    settings: &SandboxSettings,
) -> Result<AnalyzeRequest, Vec<CaiError>> {
    let mut reader = Reader { body, errors: Vec::new() };
    for name in &settings.required_parameters {
        if reader.member(name).is_none() {
            reader.errors.push(CaiError::invalid(name, "present"));
        }
    }
    reader.one_of("encoding", wire::ENCODINGS);
    reader.language();
    reader.one_of("audioType", wire::AUDIO_TYPES);
    reader.text("source");
    reader.number("sampleRate");
    reader.flag("enablePunctuation");
    reader.flag("enableSpeakerDiarization");
    reader.speech_contexts();
    let submission = AnalyzeRequest {
        separate_speaker_per_channel: reader.flag("separateSpeakerPerChannel"),
        speaker_count: reader.speaker_count(),
        speaker_ids: reader.speaker_ids(&settings.enrolled_speakers),
        enable_voice_activity_detection: reader.flag("enableVoiceActivityDetection"),
        enable_word_timings: reader.flag("enableWordTimings"),
        insights: reader.insights().unwrap_or_else(|| settings.default_insights.clone()),
        ..reader.recording(settings)
    };
    if reader.errors.is_empty() { Ok(submission) } else { Err(reader.errors) }
}

/// Parses `text` as an HTTP or HTTPS URL with a host.
pub fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

struct Reader<'a> {
    body: &'a Map<String, Value>,
    errors: Vec<CaiError>,
}

impl<'a> Reader<'a> {
    /// `null` counts as absent.
    fn member(&self, name: &str) -> Option<&'a Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    fn refuse(&mut self, name: &str, rule: &str) {
        self.errors.push(CaiError::invalid(name, rule));
    }

    fn text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.member(name)?;
        if !value.is_string() {
            self.refuse(name, "of type String");
        }
        value.as_str()
    }

    fn flag(&mut self, name: &str) -> bool {
        let value = self.member(name);
        if value.is_some_and(|value| !value.is_boolean()) {
            self.refuse(name, "of type Boolean");
        }
        value.and_then(Value::as_bool).unwrap_or(false)
    }

    fn number(&mut self, name: &str) {
        if self.member(name).is_some_and(|value| !value.is_number()) {
            self.refuse(name, "of type Number");
        }
    }

    fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.member(name)?;
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            self.refuse(name, "of type List[String]");
        }
        texts
    }

    fn one_of(&mut self, name: &str, known: &[&str]) {
        if self.text(name).is_some_and(|text| !known.contains(&text)) {
            self.refuse(name, &alternatives(known));
        }
    }

    /// English only. `en` and every `en-…` are accepted: `en-US` alone is documented, but no other
    /// is known to be rejected.
    fn language(&mut self) {
        let is_english = |text: &str| text == "en" || text.starts_with("en-");
        if self.text("languageCode").is_some_and(|text| !is_english(text)) {
            self.refuse("languageCode", &alternatives(&[wire::DEFAULT_LANGUAGE]));
        }
    }

    fn insights(&mut self) -> Option<Vec<String>> {
        let asked = self.texts("insights")?;
        if asked.iter().any(|name| !wire::INSIGHTS.contains(&name.as_str())) {
            self.refuse("insights", &alternatives(wire::INSIGHTS));
        }
        Some(asked)
    }

    /// 0 and -1 mean "unknown" in sibling calls.
    fn speaker_count(&mut self) -> Option<usize> {
        let value = self.member("speakerCount")?;
        let Some(count) = value.as_i64().filter(|count| (-1..=i64::from(i32::MAX)).contains(count))
        else {
            self.refuse("speakerCount", "of type Integer");
            return None;
        };
        usize::try_from(count).ok().filter(|count| *count > 0)
    }

    /// The parameter has had two names over the years. One unknown id rejects the whole request.
    fn speaker_ids(&mut self, enrolled: &[String]) -> Vec<String> {
        let mut ids = Vec::new();
        for name in ["speakerIds", "enrollmentIds"] {
            let asked = self.texts(name).unwrap_or_default();
            if asked.iter().any(|id| !enrolled.contains(id)) {
                self.refuse(name, "a list of enrolled speakers");
            }
            ids.extend(asked);
        }
        ids
    }

    fn speech_contexts(&mut self) {
        let Some(value) = self.member("speechContexts") else { return };
        let is_context = |context: &Value| {
            let phrases = context.get("phrases").and_then(Value::as_array);
            phrases.is_some_and(|phrases| phrases.iter().all(Value::is_string))
        };
        if !value.as_array().is_some_and(|contexts| contexts.iter().all(is_context)) {
            self.refuse("speechContexts", "of type List[SpeechContext]");
        }
    }

    /// Requires exactly one of `contentUri` and `content`.
    fn recording(&mut self, settings: &SandboxSettings) -> AnalyzeRequest {
        let content_uri = self.text("contentUri").map(str::to_owned);
        let content = self.text("content").map(str::to_owned);
        match (&content_uri, &content) {
            (Some(_), Some(_)) => self.refuse("content", "absent when contentUri is present"),
            (None, None) => {
                if self.member("contentUri").is_none() && self.member("content").is_none() {
                    self.refuse("contentUri", "a valid uri");
                }
            }
            (Some(uri), None) => {
                if settings.sync_uri_validation && web_address(uri).is_none() {
                    self.refuse("contentUri", "a valid uri");
                }
            }
            (None, Some(content)) => {
                if !settings.content_allowed {
                    self.refuse("content", "absent");
                } else if BASE64_STANDARD.decode(content).is_err() {
                    self.refuse("content", "of type Base64 String");
                }
            }
        }
        AnalyzeRequest { content_uri, content, ..AnalyzeRequest::default() }
    }
}

fn alternatives(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("one of {}", quoted.join(", "))
}
