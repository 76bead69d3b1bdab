//! Results as callers see them: the provider's names, in one consistent form.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::uuid;

use crate::{
    api::Links,
    insights::{ConversationInsightRow, InsightRef, Issue, UtteranceRow, search::HitRow},
    jobs::{JobId, TimelineEvent},
};

/// One change of a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "seq": 4, "kind": "completed", "detail": { "attempt": 1, "via": "webhook", "late": false },
    "at": "2026-05-01T09:31:12.900Z",
}))]
pub struct EventView {
    pub seq: i32,
    /// `queued`: the job waits to be submitted. `submitting`: an attempt began. `submitted`: the
    /// provider accepted it. `requeued`: an attempt failed, and another one follows. `unconfirmed`:
    /// the provider sent no response and may have accepted it. `abandoned`: the process that was
    /// submitting it is gone, and the provider may have accepted it. `delivery`: a delivery arrived
    /// that did not finish the job. `completed`, `failed`, `timed_out`, `canceled`: the job is
    /// final. `replayed`: a stored delivery was replayed. `reparsed`: a newer parser recreated the
    /// result. `speakers_named`: the names of speakers changed. `result_expired`: the result was
    /// deleted because of its age. Later versions may add kinds.
    pub kind: String,
    #[schema(value_type = Object)]
    pub detail: Value,
    pub at: DateTime<Utc>,
}

impl From<TimelineEvent> for EventView {
    fn from(event: TimelineEvent) -> Self {
        Self { seq: event.seq, kind: event.kind, detail: event.detail, at: event.created_at }
    }
}

/// A result as stored. The provider's members are unchanged.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = Result)]
#[expect(dead_code, reason = "describes the stored document")]
#[schema(example = json!({
    "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "providerJobId": "a6f0c1de", "parserVersion": 3,
    "partial": false, "issues": [],
    "utteranceInsights": [{
        "start": 0.4, "end": 4.16, "text": "Thank you for calling.", "speakerId": "0",
        "insights": [{ "name": "Emotion", "value": "Joy", "confidence": 0.8 }],
    }],
    "speakerInsights": { "speakerCount": 2, "insights": [] },
    "conversationalInsights": [{ "name": "KeyPhrases", "values": [{ "value": "invoice" }] }],
}))]
pub struct ResultView {
    #[schema(value_type = Uuid)]
    job_id: JobId,
    /// The provider's `jobId`.
    #[schema(required)]
    provider_job_id: Option<String>,
    /// Version of the parser that created the rows.
    parser_version: i32,
    /// Some of the result could not be parsed into rows; `issues` says what.
    partial: bool,
    issues: Vec<Issue>,
    /// What was said: times, text, speaker, emotion.
    utterance_insights: Option<Value>,
    /// Who spoke, and how: energy, pace, talk-to-listen ratio, questions.
    speaker_insights: Option<Value>,
    /// About the conversation as a whole: summaries, key phrases, topics, tasks.
    conversational_insights: Option<Value>,
    /// Members that the provider's documentation does not name.
    other: Option<Value>,
}

/// An utterance. Times are seconds from the start of the recording.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "seq": 3, "start": 8.88, "end": 11.65, "text": "My invoice shows a double charge.",
    "confidence": 0.97, "speakerId": "1", "speaker": null, "emotion": "Anger", "emotionConfidence": 0.8,
}))]
pub struct UtteranceView {
    /// Index of the utterance, from 0.
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
    /// With `include=words`, if the provider sent them: a list of `{word, start, end}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub word_timings: Option<Value>,
    /// With `q`: part of the text as HTML, with matches in `<mark>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// With `include=evidence`: the conversational insights that overlap it in time.
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
            snippet: row.snippet.as_deref().map(marked),
            insights: row.insights.map(|insights| insights.0),
        }
    }
}

/// The insights into the conversation as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct InsightsView {
    pub data: Vec<InsightView>,
}

/// One value of a conversational insight.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "Tasks", "seq": 0, "value": "Yes, I will send the refund today.", "start": 31.83,
    "end": 34.61, "confidence": 1.0, "speakerId": "0", "speaker": "Robin", "evidence": [12],
    "extra": { "category": "NextStep", "assignee": "0" },
}))]
pub struct InsightView {
    /// `KeyPhrases`, `ExtractiveSummary`, `Topics`, `Tasks`, `AbstractiveSummaryLong`,
    /// `AbstractiveSummaryShort` …
    pub name: String,
    /// Index among the values of the same name, from 0.
    pub seq: i32,
    pub value: String,
    pub start: Option<f64>,
    pub end: Option<f64>,
    /// 0 to 1.
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    /// `seq` of the utterances that overlap it in time.
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

/// An utterance that matches the search. Times are seconds from the start of the recording.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "externalId": "call-42",
    "createdAt": "2026-05-01T09:30:00.120Z", "seq": 3, "start": 8.88, "end": 11.65, "speakerId": "1",
    "speaker": null, "emotion": "Anger", "text": "My invoice shows a double charge.",
    "snippet": "My invoice shows a <mark>double charge</mark>.", "rank": 0.1,
    "links": Links::of(uuid!("0199f0c2-a4b8-7c3e-9a4d-5e6f70819203").into()),
}))]
pub struct HitView {
    #[schema(value_type = Uuid)]
    pub job_id: JobId,
    pub external_id: Option<String>,
    /// When the job was created: soon after the conversation, if recordings are submitted as they are made.
    pub created_at: DateTime<Utc>,
    /// Index of the utterance in the job, from 0.
    pub seq: i32,
    pub start: f64,
    pub end: f64,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    pub emotion: Option<String>,
    pub text: String,
    /// Part of the text as HTML: matches are in `<mark>`, everything else is escaped.
    #[schema(example = "I want to <mark>cancel</mark> &amp; get a <mark>refund</mark>")]
    pub snippet: String,
    /// Higher is better: more of the words, closer together, in a shorter text.
    pub rank: f32,
    pub links: Links,
}

impl From<HitRow> for HitView {
    fn from(row: HitRow) -> Self {
        Self {
            job_id: row.key.job_id,
            external_id: row.external_id,
            created_at: row.created_at,
            seq: row.key.seq,
            start: row.start_seconds,
            end: row.end_seconds,
            speaker_id: row.speaker_id,
            speaker: row.speaker,
            emotion: row.emotion,
            text: row.text,
            snippet: marked(&row.snippet),
            rank: row.rank,
            links: Links::of(row.key.job_id),
        }
    }
}

/// A snippet as HTML.
fn marked(snippet: &str) -> String {
    let mut html = String::with_capacity(snippet.len() + 16);
    for c in snippet.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\u{e000}' => html.push_str("<mark>"),
            '\u{e001}' => html.push_str("</mark>"),
            c => html.push(c),
        }
    }
    html
}
