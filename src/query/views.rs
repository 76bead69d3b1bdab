//! What was found, as callers see it: the provider's own names, one shape for all.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    insights::{ConversationInsightRow, InsightRef, UtteranceRow},
    jobs::Event,
};

/// One change of a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    pub seq: i32,
    /// `queued`, `submitting`, `submitted`, `requeued`, `unconfirmed`, `abandoned`, `delivery`,
    /// `completed`, `failed`, `timed_out`, `canceled`, `replayed`, `reparsed`,
    /// `speakers_named`; new kinds may be added.
    pub kind: String,
    #[schema(value_type = Object)]
    pub detail: Value,
    pub at: DateTime<Utc>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self { seq: event.seq, kind: event.kind, detail: event.detail, at: event.created_at }
    }
}

/// A piece of speech. Times are seconds from the start of the recording.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UtteranceView {
    /// Position among the utterances, from 0.
    pub seq: i32,
    pub start: f64,
    pub end: f64,
    pub text: String,
    /// 0 to 1.
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    pub emotion: Option<String>,
    pub emotion_confidence: Option<f64>,
    /// With `include=words`, where the provider sent them: a list of `{word, start, end}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub word_timings: Option<Value>,
    /// With `include=evidence`: the conversational insights that have time in common with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insights: Option<Vec<InsightRef>>,
}

impl From<UtteranceRow> for UtteranceView {
    fn from(row: UtteranceRow) -> Self {
        Self {
            seq: row.seq,
            start: row.start_seconds,
            end: row.end_seconds,
            text: row.text,
            confidence: row.confidence,
            speaker_id: row.speaker_id,
            speaker: row.speaker,
            emotion: row.emotion,
            emotion_confidence: row.emotion_confidence,
            word_timings: row.word_timings,
            insights: row.insights.map(|insights| insights.0),
        }
    }
}

/// What was found about the conversation as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct InsightsView {
    pub data: Vec<InsightView>,
}

/// One value of a conversational insight.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InsightView {
    /// `KeyPhrases`, `ExtractiveSummary`, `Topics`, `Tasks`, `AbstractiveSummaryLong`,
    /// `AbstractiveSummaryShort` …
    pub name: String,
    /// Position among the values of its name, from 0.
    pub seq: i32,
    pub value: String,
    pub start: Option<f64>,
    pub end: Option<f64>,
    /// 0 to 1.
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    /// `seq` of the utterances that it rests on: those that have time in common with it.
    pub evidence: Vec<i32>,
    /// Members that only some insights have, such as `groupId`, `assignee`, `category`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl From<ConversationInsightRow> for InsightView {
    fn from(row: ConversationInsightRow) -> Self {
        Self {
            name: row.name,
            seq: row.seq,
            value: row.value,
            start: row.start_seconds,
            end: row.end_seconds,
            confidence: row.confidence,
            speaker_id: row.speaker_id,
            speaker: row.speaker,
            evidence: row.evidence,
            extra: row.extra.0,
        }
    }
}
