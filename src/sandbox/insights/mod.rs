//! Builds the provider's result object from a conversation, with only the requested insights.
//!
//! Numbers follow the formulas derived from the provider's published samples; words follow rules
//! that can be checked by hand. `docs/sandbox.md` lists both.
mod emotion;
mod metrics;
mod phrases;
mod summary;
mod tasks;

use serde_json::{Value, json};

use super::{
    conversation::{self, Conversation, Voice},
    decode::Levels,
    request::AnalyzeRequest,
    script,
    transcript::TranscriptCue,
};
use crate::config::SandboxSettings;

/// The inputs of every insight.
struct Material<'a> {
    conversation: &'a Conversation,
    /// The voice of each speaker.
    voices: &'a [&'a Voice],
    /// Seconds.
    duration: f64,
    settings: &'a SandboxSettings,
}

/// The provider's `response` for a recording whose loudness is `levels`.
///
/// `cues` are the words; without them a built-in script is laid over the speech.
pub fn result(
    levels: &Levels,
    cues: Option<Vec<TranscriptCue>>,
    request: &AnalyzeRequest,
    settings: &SandboxSettings,
) -> Value {
    let voices = conversation::voices(levels, request.separate_speaker_per_channel);
    let words = if cues.is_some() { "webvtt" } else { "script" };
    let mut cues =
        cues.unwrap_or_else(|| script::cues(&voices, request.speaker_count.unwrap_or(2)));
    conversation::attribute(&mut cues, &voices);
    let mut conversation = Conversation::new(&cues, &request.speaker_ids);
    let assigned = conversation.assign(&voices);
    conversation.listen(&assigned, request.enable_voice_activity_detection);
    let material = Material {
        conversation: &conversation,
        voices: &assigned,
        duration: levels.duration,
        settings,
    };
    json!({
        "utteranceInsights": utterances(&conversation, request),
        "speakerInsights": {
            "speakerCount": request.speaker_count.unwrap_or(conversation.speakers.len()),
            "insights": speakers(&material, request),
        },
        "conversationalInsights": conversational(&conversation, request),
        // Not in the provider's format: which words these are, and what was measured.
        "sandbox": {
            "words": words,
            "duration": super::number::rounded(levels.duration, 2),
            "speechPerVoice": voices.iter()
                .map(|voice| super::number::rounded(super::speech::talk_time(&voice.speech), 2))
                .collect::<Vec<_>>(),
        },
    })
}

fn utterances(conversation: &Conversation, request: &AnalyzeRequest) -> Vec<Value> {
    let view = |said: &conversation::Utterance| {
        let mut value = json!({
            "start": said.start,
            "end": said.end,
            "text": said.text,
            "confidence": said.confidence,
            "speakerId": conversation.speakers[said.speaker].id,
            "insights": [],
        });
        if request.wants("Emotion") {
            value["insights"] = json!([emotion::of(&said.text)]);
        }
        if request.enable_word_timings {
            let timing = |(word, start, end): (&str, f64, f64)| json!({ "word": word, "start": start, "end": end });
            value["wordTimings"] = said.words().into_iter().map(timing).collect();
        }
        value
    };
    conversation.utterances.iter().map(view).collect()
}

/// In the order of the provider's samples.
fn speakers(material: &Material<'_>, request: &AnalyzeRequest) -> Vec<Value> {
    type Insight = fn(&Material<'_>) -> Vec<Value>;
    let known: [(&str, Insight); 4] = [
        ("Energy", metrics::energy),
        ("Pace", metrics::pace),
        ("TalkToListenRatio", metrics::talk_to_listen),
        ("QuestionsAsked", metrics::questions),
    ];
    known
        .into_iter()
        .filter(|(name, _)| request.wants(name))
        .map(|(name, insight)| json!({ "name": name, "values": insight(material) }))
        .collect()
}

/// In the order of the provider's samples; an insight without values is present with an empty list.
fn conversational(conversation: &Conversation, request: &AnalyzeRequest) -> Vec<Value> {
    let phrases = phrases::found(&conversation.utterances);
    let turns = conversation.turns();
    let mut insights = Vec::new();
    let mut add = |name: &str, asked: bool, values: &dyn Fn() -> Vec<Value>| {
        if asked {
            insights.push(json!({ "name": name, "values": values() }));
        }
    };
    let wants = |name| request.wants(name);
    add("KeyPhrases", wants("KeyPhrases"), &|| phrases::values(&phrases));
    add("ExtractiveSummary", wants("ExtractiveSummary"), &|| {
        summary::extractive(conversation, &phrases)
    });
    add("Topics", wants("Topics"), &|| phrases::topics(&phrases));
    add("Tasks", wants("Tasks"), &|| tasks::values(conversation));
    // Requested as `Title`, returned as `Titles`; none of the samples for `All` contains it.
    add("Titles", request.names("Title"), &|| summary::title(conversation, &phrases));
    add("AbstractiveSummaryLong", wants("AbstractiveSummaryLong"), &|| {
        summary::long(conversation, &turns, &phrases)
    });
    add("AbstractiveSummaryShort", wants("AbstractiveSummaryShort"), &|| {
        summary::short(conversation, &phrases)
    });
    insights
}
