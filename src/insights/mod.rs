//! Insights: what the provider found in a recording, as domain types and tables.
//!
//! Each result is stored twice in one transaction: as a document, served verbatim, and as rows for filters, search and
//! dashboards. If the two ever differ, the document is authoritative.
mod conversation_insights;
mod document;
mod expiry;
mod export;
mod loader;
mod prepared;
mod read;
mod replace;
pub mod search;
mod speakers;
mod utterances;
mod write;

use serde::Serialize;

pub use conversation_insights::{
    ConversationInsightRow, conversation_insights, select_conversation_insights, summary,
};
pub use document::DocumentOrigin;
pub use expiry::{lock_due, remove};
pub use export::{UtteranceExport, UtteranceLine};
pub use loader::ResultLoader;
pub use prepared::Prepared;
pub use read::{StoredResult, result, results};
pub use replace::{Outdated, outdated, replace, versions_below};
pub use speakers::{SpeakersView, name_speakers, speaker_ids, speakers};
pub use utterances::{
    InsightRef, Spoken, UtteranceFilter, UtteranceRow, select_utterances, spoken, utterances,
};
pub use write::store;

/// A result in Aftercall's own model. Times are in seconds from the start of the recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analysis {
    /// The provider's result object as received, including unreadable parts.
    pub document: Vec<Member>,
    pub utterances: Vec<Utterance>,
    /// The provider's count; `None` when it gave none.
    pub speaker_count: Option<i32>,
    pub speaker_insights: Vec<SpeakerInsight>,
    pub questions: Vec<Question>,
    pub conversation_insights: Vec<ConversationInsight>,
    /// Parts of `document` that did not become rows, and why. If there are any, the result is partial.
    pub issues: Vec<Issue>,
}

/// A member of the result object, with its value as the original JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub json: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Position in the provider's list, from 0.
    pub seq: i32,
    pub start: f64,
    pub end: f64,
    pub text: String,
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    /// Value of the insight named `Emotion`.
    pub emotion: Option<String>,
    pub emotion_confidence: Option<f64>,
    /// `wordTimings` as sent, as JSON text: a list of `{word, start, end}`.
    pub word_timings: Option<String>,
}

/// One insight about one speaker, such as `Energy` or `TalkToListenRatio`.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeakerInsight {
    pub speaker_id: String,
    pub name: String,
    /// The value as text, whatever its JSON type was: `"58:42"`, `"medium"`, `"86.64"`.
    pub value: String,
    /// The value as a number: itself for a number, the talk share (0 to 100) of a talk-to-listen ratio, the words per
    /// minute of a pace; `None` when there is no number.
    pub number: Option<f64>,
}

/// One question of `QuestionsAsked`.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub speaker_id: String,
    pub text: String,
    pub start: Option<f64>,
    pub end: Option<f64>,
}

/// One value of a conversational insight, such as one key phrase or one summary paragraph.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationInsight {
    pub name: String,
    /// Index among the values of the same name, from 0.
    pub seq: i32,
    pub value: String,
    pub start: Option<f64>,
    pub end: Option<f64>,
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    /// All other members of the value, such as `groupId`, `assignee`, `category`, as the text of a JSON object.
    pub extra: String,
}

/// A part of a result that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Issue {
    /// JSON pointer into the result object.
    pub pointer: String,
    /// Stable slug: `missing`, `type`, `range`, `encoding` or `duplicate`; `more` sums up issues
    /// beyond those listed.
    pub code: String,
    pub detail: String,
}
