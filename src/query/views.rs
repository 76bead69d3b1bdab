//! What was found, as callers see it: the provider's own names, one shape for all.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    insights::{
        ConversationInsightRow, Issue, QuestionRow, SpeakerInsightRow, SpeakerRow, UtteranceRow,
        search::HitRow,
    },
    jobs::{Event, Links},
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
    /// `queued`, `submitting`, `submitted`, `requeued`, `unconfirmed`, `abandoned`, `delivery`,
    /// `completed`, `failed`, `timed_out`, `canceled`, `replayed`, `reparsed`; new kinds may be added.
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

/// A result as it is stored. The provider's members are as they came.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = Result)]
#[expect(dead_code, reason = "describes the stored document")]
pub struct ResultView {
    job_id: Uuid,
    /// `jobId` of the provider.
    #[schema(required)]
    provider_job_id: Option<String>,
    /// Of the parser that made rows of it.
    parser_version: i32,
    /// Some of it could not be read into rows; `issues` tells what.
    partial: bool,
    issues: Vec<Issue>,
    /// What was said: times, text, speaker, emotion.
    utterance_insights: Option<Value>,
    /// Who spoke, and how: energy, pace, talk-to-listen ratio, questions.
    speaker_insights: Option<Value>,
    /// Of the conversation as a whole: summaries, key phrases, topics, tasks.
    conversational_insights: Option<Value>,
    /// Members that the provider's documentation does not name.
    other: Option<Value>,
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
    pub emotion: Option<String>,
    pub emotion_confidence: Option<f64>,
    /// Where the provider sent them: a list of `{word, start, end}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub word_timings: Option<Value>,
    /// With `q`: a part of the text as HTML, with what was found in `<mark>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
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
            emotion: row.emotion,
            emotion_confidence: row.emotion_confidence,
            word_timings: row.word_timings,
            snippet: row.snippet.as_deref().map(marked),
        }
    }
}

/// Everybody who speaks in a recording.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpeakersView {
    pub data: Vec<SpeakerView>,
}

/// One speaker: what Aftercall counted, and what the provider found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerView {
    pub speaker_id: String,
    pub utterances: i32,
    pub words: i32,
    pub talk_seconds: f64,
    /// Share of all talk, 0 to 100; null when nobody talks.
    pub talk_percent: Option<f64>,
    pub insights: Vec<SpeakerInsightView>,
    pub questions: Vec<QuestionView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SpeakerInsightView {
    /// `Energy`, `Pace`, `TalkToListenRatio`, `QuestionsAsked` …
    pub name: String,
    /// As the provider sent it, as text.
    pub value: String,
    /// As a number: the energy, the words per minute of a pace, the talk share of a ratio.
    pub number: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct QuestionView {
    pub text: String,
    pub start: Option<f64>,
    pub end: Option<f64>,
}

impl SpeakersView {
    pub fn new(
        speakers: Vec<SpeakerRow>,
        insights: Vec<SpeakerInsightRow>,
        questions: Vec<QuestionRow>,
    ) -> Self {
        let all: f64 = speakers.iter().map(|speaker| speaker.talk_seconds).sum();
        let mut data: Vec<_> = speakers.into_iter().map(|row| SpeakerView::new(row, all)).collect();
        let of = |data: &mut Vec<SpeakerView>, id: &str| {
            data.iter().position(|speaker| speaker.speaker_id == id)
        };
        for row in insights {
            if let Some(i) = of(&mut data, &row.speaker_id) {
                let SpeakerInsightRow { name, value, number, .. } = row;
                data[i].insights.push(SpeakerInsightView { name, value, number });
            }
        }
        for row in questions {
            if let Some(i) = of(&mut data, &row.speaker_id) {
                let QuestionRow { text, start_seconds: start, end_seconds: end, .. } = row;
                data[i].questions.push(QuestionView { text, start, end });
            }
        }
        Self { data }
    }
}

impl SpeakerView {
    fn new(row: SpeakerRow, all_talk: f64) -> Self {
        let percent = 100.0 * row.talk_seconds / all_talk;
        Self {
            speaker_id: row.speaker_id,
            utterances: row.utterance_count,
            words: row.word_count,
            talk_seconds: row.talk_seconds,
            talk_percent: (all_talk > 0.0).then_some((percent * 10.0).round() / 10.0),
            insights: Vec::new(),
            questions: Vec::new(),
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
            extra: row.extra.0,
        }
    }
}

/// An utterance that was found. Times are seconds from the start of the recording.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HitView {
    pub job_id: Uuid,
    pub external_id: Option<String>,
    /// Position among the utterances of the job, from 0.
    pub seq: i32,
    pub start: f64,
    pub end: f64,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    pub emotion: Option<String>,
    pub text: String,
    /// A part of the text as HTML: what was found is in `<mark>`, everything else is escaped.
    #[schema(example = "I want to <mark>cancel</mark> &amp; get a <mark>refund</mark>")]
    pub snippet: String,
    /// The greater, the better it fits: more of the words, nearer to each other, in a shorter text.
    pub rank: f32,
    pub links: Links,
}

impl HitView {
    pub fn new(row: HitRow, rank: f32) -> Self {
        Self {
            job_id: row.place.job_id,
            external_id: row.external_id,
            seq: row.place.seq,
            start: row.start_seconds,
            end: row.end_seconds,
            speaker_id: row.speaker_id,
            speaker: row.speaker,
            emotion: row.emotion,
            text: row.text,
            snippet: marked(&row.snippet),
            rank,
            links: Links::of(row.place.job_id),
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
