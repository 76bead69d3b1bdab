//! Transcripts for programs: by utterance, or by turn.
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::ApiError,
    insights::Spoken,
    jobs::{Job, JobId},
};

/// A pause of this many seconds ends a speaker's turn.
const PAUSE: f64 = 1.5;

/// The transcript of a job. Times are seconds from the start of the recording.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "externalId": "call-42",
    "utterances": [{
        "seq": 0, "start": 0.4, "end": 4.16, "speakerId": "0", "speaker": "Robin",
        "text": "Thank you for calling Northwind support.",
    }],
}))]
pub struct TranscriptView {
    #[schema(value_type = Uuid)]
    pub job_id: JobId,
    pub external_id: Option<String>,
    pub utterances: Vec<SpokenView>,
}

/// An utterance of the transcript.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpokenView {
    /// Index of the utterance, from 0.
    pub seq: i32,
    pub start: f64,
    pub end: f64,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    pub text: String,
}

/// The transcript of a job, paragraph by paragraph. Times are seconds from the start of the
/// recording.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "jobId": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "externalId": "call-42",
    "paragraphs": [{
        "seqs": [0, 1], "start": 0.4, "end": 6.26, "speakerId": "0", "speaker": "Robin",
        "text": "Thank you for calling Northwind support. How can I help you today?",
    }],
}))]
pub struct ParagraphsView {
    #[schema(value_type = Uuid)]
    pub job_id: JobId,
    pub external_id: Option<String>,
    pub paragraphs: Vec<ParagraphView>,
}

/// Consecutive utterances of one speaker without a pause of 1.5 seconds or more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParagraphView {
    /// `seq` of its utterances.
    pub seqs: Vec<i32>,
    pub start: f64,
    pub end: f64,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    pub text: String,
}

pub fn utterances(job: &Job, spoken: &[Spoken]) -> Result<String, ApiError> {
    let utterances = spoken.iter().map(|said| SpokenView {
        seq: said.seq,
        start: said.start_seconds,
        end: said.end_seconds,
        speaker_id: said.speaker_id.clone(),
        speaker: said.speaker.clone(),
        text: said.text.clone(),
    });
    let (job_id, external_id) = (job.id, job.external_id.clone());
    json(&TranscriptView { job_id, external_id, utterances: utterances.collect() })
}

pub fn paragraphs(job: &Job, spoken: &[Spoken]) -> Result<String, ApiError> {
    let paragraphs = paragraphs_of(spoken).into_iter().map(|paragraph| ParagraphView {
        seqs: paragraph.seqs,
        start: paragraph.start,
        end: paragraph.end,
        speaker_id: paragraph.first.speaker_id.clone(),
        speaker: paragraph.first.speaker.clone(),
        text: paragraph.text,
    });
    let (job_id, external_id) = (job.id, job.external_id.clone());
    json(&ParagraphsView { job_id, external_id, paragraphs: paragraphs.collect() })
}

fn json(view: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(view).map_err(|error| ApiError::Internal(error.into()))
}

/// A turn, with its first utterance.
#[derive(Debug)]
pub struct Paragraph<'a> {
    pub first: &'a Spoken,
    pub seqs: Vec<i32>,
    pub start: f64,
    pub end: f64,
    pub text: String,
}

/// Joins adjacent utterances of the same speaker, or of no known speaker, whose pause is shorter
/// than [`PAUSE`].
pub fn paragraphs_of(spoken: &[Spoken]) -> Vec<Paragraph<'_>> {
    let mut paragraphs: Vec<Paragraph<'_>> = Vec::new();
    for said in spoken {
        let (seq, start, end, text) =
            (said.seq, said.start_seconds, said.end_seconds, said.text.trim());
        match paragraphs.last_mut() {
            Some(turn) if turn.first.speaker_id == said.speaker_id && start - turn.end < PAUSE => {
                turn.seqs.push(seq);
                turn.start = turn.start.min(start);
                turn.end = turn.end.max(end);
                if !turn.text.is_empty() && !text.is_empty() {
                    turn.text.push(' ');
                }
                turn.text.push_str(text);
            }
            _ => {
                let (seqs, text) = (vec![seq], text.to_owned());
                paragraphs.push(Paragraph { first: said, seqs, start, end, text });
            }
        }
    }
    paragraphs
}
