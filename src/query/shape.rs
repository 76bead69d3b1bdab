//! The shape of one conversation.
use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::results::not_cached;
use crate::{
    api::{
        ApiError, ApiQuery, ApiState, OwnedJob, paths,
        problems::{OF_RESULT, Problems},
    },
    conversations::{self, BucketRow, ConversationRow, EmotionRun, SpeakerShape},
    jobs::JobId,
    reads::ReadConnection,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(shape))
}

const DEFAULT_BUCKET: u32 = 60;
/// Maximum number of buckets per response.
const MOST_BUCKETS: f64 = 10_000.0;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShapeQuery {
    /// Length of a bucket of `talk` in seconds; default 60. A recording has at most 10,000 buckets.
    #[param(minimum = 5, maximum = 3600)]
    bucket: Option<u32>,
}

/// Who talks when, for how long, and over whom. Times are seconds from the start of the recording, with
/// at most three decimals.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShapeView {
    #[schema(value_type = Uuid)]
    job_id: JobId,
    /// End of the last utterance.
    duration_seconds: f64,
    /// Time during which at least one speaker talks.
    talk_seconds: f64,
    silence_seconds: f64,
    /// Time during which two or more speakers talk.
    overlap_seconds: f64,
    longest_silence_seconds: f64,
    longest_monologue_seconds: f64,
    utterances: i32,
    words: i32,
    /// Words per minute of talk; null if there is no talk.
    words_per_minute: Option<f64>,
    questions: i32,
    /// Utterances that begin while other speakers talk and end after all of them.
    interruptions: i32,
    speakers: Vec<SpeakerShapeView>,
    /// Length of a bucket of `talk` in seconds.
    bucket: u32,
    /// Only buckets in which someone talks.
    talk: Vec<BucketView>,
    /// Consecutive utterances of one speaker with the same emotion, ordered by speaker.
    emotion_runs: Vec<EmotionRunView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SpeakerShapeView {
    speaker_id: String,
    /// Your name for the speaker.
    speaker: Option<String>,
    utterances: i32,
    words: i32,
    words_per_minute: Option<f64>,
    questions: i32,
    talk_seconds: f64,
    /// This speaker's part of the talk of all speakers, 0 to 1; null if there is no talk.
    talk_share: Option<f64>,
    longest_monologue_seconds: f64,
    /// How often this speaker interrupts others.
    interrupts: i32,
    /// How often other speakers interrupt this one.
    interrupted: i32,
}

#[derive(Debug, Serialize, ToSchema)]
struct BucketView {
    /// Seconds from the start of the recording.
    start: i64,
    speakers: Vec<BucketSpeakerView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BucketSpeakerView {
    speaker_id: String,
    talk_seconds: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EmotionRunView {
    speaker_id: String,
    emotion: String,
    start: f64,
    end: f64,
    utterances: i64,
}

/// Get the shape of the conversation.
///
/// Talk, silence, overlap, interruptions, monologues, questions and pace, in total and per speaker; talk
/// per speaker over time; and runs of one emotion. `docs/conversation-shape.md` defines each of them.
#[utoipa::path(
    get, path = paths::SHAPE, operation_id = "getShape", tag = "results",
    params(("id" = Uuid, Path), ShapeQuery),
    responses(
        (status = OK, body = ShapeView, example = json!({
            "jobId": "0197329c-6a1c-7bd3-b1f5-61d5a3b4a111", "durationSeconds": 11.02,
            "talkSeconds": 9.43, "silenceSeconds": 1.59, "overlapSeconds": 0.0,
            "longestSilenceSeconds": 0.9, "longestMonologueSeconds": 4.32, "utterances": 3,
            "words": 25, "wordsPerMinute": 159.1, "questions": 2, "interruptions": 0,
            "speakers": [{
                "speakerId": "0", "speaker": "Rachel", "utterances": 2, "words": 14, "wordsPerMinute": 164.4,
                "questions": 1, "talkSeconds": 5.11, "talkShare": 0.5419,
                "longestMonologueSeconds": 3.59, "interrupts": 0, "interrupted": 0,
            }],
            "bucket": 60,
            "talk": [{ "start": 0, "speakers": [{ "speakerId": "0", "talkSeconds": 5.11 }] }],
            "emotionRuns": [
                { "speakerId": "0", "emotion": "Joy", "start": 0.31, "end": 3.9, "utterances": 1 },
            ],
        })),
        Problems<OF_RESULT>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn shape(
    State(state): State<ApiState>,
    asked: OwnedJob,
    ApiQuery(query): ApiQuery<ShapeQuery>,
) -> Result<Response, ApiError> {
    let bucket = query.bucket.unwrap_or(DEFAULT_BUCKET);
    if !(5..=3600).contains(&bucket) {
        let detail = "must be a whole number from 5 to 3600";
        return Err(ApiError::invalid_parameter("bucket", "value", detail));
    }
    let view =
        state.reads.run(async |mut db: ReadConnection| read(&mut db, &asked, bucket).await).await?;
    let mut response = Json(view).into_response();
    not_cached(&mut response);
    Ok(response)
}

async fn read(
    db: &mut ReadConnection,
    asked: &OwnedJob,
    bucket: u32,
) -> Result<ShapeView, ApiError> {
    let job = asked.completed(&mut **db).await?;
    let Some(whole) = conversations::conversation(&mut **db, job.id).await? else {
        // It has expired since.
        return Err(ApiError::no_result(&asked.find(&mut **db).await?));
    };
    let least = (whole.duration_seconds / MOST_BUCKETS).ceil();
    if f64::from(bucket) < least {
        let detail = format!("must be at least {least} for a recording of this length");
        return Err(ApiError::invalid_parameter("bucket", "value", detail));
    }
    let speakers = conversations::speakers(&mut **db, job.id).await?;
    let talk = conversations::buckets(&mut **db, job.id, bucket).await?;
    let runs = conversations::emotion_runs(&mut **db, job.id).await?;
    Ok(ShapeView::new(job.id, &whole, speakers, bucket, talk, runs))
}

impl ShapeView {
    fn new(
        job_id: JobId,
        whole: &ConversationRow,
        speakers: Vec<SpeakerShape>,
        bucket: u32,
        talk: Vec<BucketRow>,
        runs: Vec<EmotionRun>,
    ) -> Self {
        let mut buckets: BTreeMap<i64, Vec<BucketSpeakerView>> = BTreeMap::new();
        for BucketRow { bucket, speaker_id, talk_seconds } in talk {
            buckets.entry(bucket).or_default().push(BucketSpeakerView { speaker_id, talk_seconds });
        }
        let seconds = i64::from(bucket);
        let talk = buckets.into_iter();
        Self {
            job_id,
            duration_seconds: whole.duration_seconds,
            talk_seconds: whole.talk_seconds,
            silence_seconds: whole.silence_seconds,
            overlap_seconds: whole.overlap_seconds,
            longest_silence_seconds: whole.longest_silence_seconds,
            longest_monologue_seconds: whole.longest_monologue_seconds,
            utterances: whole.utterances,
            words: whole.words,
            words_per_minute: whole.words_per_minute,
            questions: whole.questions,
            interruptions: whole.interruptions,
            speakers: speakers.into_iter().map(SpeakerShapeView::from).collect(),
            bucket,
            talk: talk.map(|(n, speakers)| BucketView { start: n * seconds, speakers }).collect(),
            emotion_runs: runs.into_iter().map(EmotionRunView::from).collect(),
        }
    }
}

impl From<SpeakerShape> for SpeakerShapeView {
    fn from(row: SpeakerShape) -> Self {
        Self {
            speaker_id: row.speaker_id,
            speaker: row.speaker,
            utterances: row.utterances,
            words: row.words,
            words_per_minute: row.words_per_minute,
            questions: row.questions,
            talk_seconds: row.talk_seconds,
            talk_share: row.talk_share,
            longest_monologue_seconds: row.longest_monologue_seconds,
            interrupts: row.interrupts,
            interrupted: row.interrupted,
        }
    }
}

impl From<EmotionRun> for EmotionRunView {
    fn from(row: EmotionRun) -> Self {
        let EmotionRun { speaker_id, emotion, start_seconds, end_seconds, utterances } = row;
        Self { speaker_id, emotion, start: start_seconds, end: end_seconds, utterances }
    }
}
