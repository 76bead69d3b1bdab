//! Reads stored shapes, and computes from the utterances what is not stored. Seconds have at most three decimals.
use sqlx::PgExecutor;

use super::timeline::{Run, Said, Timeline, millis};
use crate::jobs::JobId;

#[derive(Debug)]
pub struct ConversationRow {
    pub utterances: i32,
    pub words: i32,
    pub words_per_minute: Option<f64>,
    pub questions: i32,
    pub interruptions: i32,
    pub duration_seconds: f64,
    pub talk_seconds: f64,
    pub silence_seconds: f64,
    pub overlap_seconds: f64,
    pub longest_silence_seconds: f64,
    pub longest_monologue_seconds: f64,
}

#[derive(Debug)]
pub struct SpeakerShape {
    pub speaker_id: String,
    /// The caller's name for the speaker.
    pub speaker: Option<String>,
    pub utterances: i32,
    pub words: i32,
    pub words_per_minute: Option<f64>,
    pub questions: i32,
    pub talk_seconds: f64,
    /// 0 to 1; `None` when no one talks.
    pub talk_share: Option<f64>,
    pub longest_monologue_seconds: f64,
    pub interrupts: i32,
    pub interrupted: i32,
}

/// How long one speaker talks in one bucket of the recording.
#[derive(Debug)]
pub struct BucketRow {
    /// Index of the bucket, from 0.
    pub bucket: i64,
    pub speaker_id: String,
    pub talk_seconds: f64,
}

#[derive(Debug)]
pub struct EmotionRun {
    pub speaker_id: String,
    pub emotion: String,
    pub start_seconds: f64,
    pub end_seconds: f64,
    pub utterances: i64,
}

/// `None` while the job has no result.
pub async fn conversation(
    db: impl PgExecutor<'_>,
    job_id: JobId,
) -> sqlx::Result<Option<ConversationRow>> {
    sqlx::query_as!(
        ConversationRow,
        r#"
        select utterances, words, words_per_minute, questions, interruptions,
            (duration_ms / 1000.0)::float8 as "duration_seconds!",
            (talk_ms / 1000.0)::float8 as "talk_seconds!",
            (silence_ms / 1000.0)::float8 as "silence_seconds!",
            (overlap_ms / 1000.0)::float8 as "overlap_seconds!",
            (longest_silence_ms / 1000.0)::float8 as "longest_silence_seconds!",
            (longest_monologue_ms / 1000.0)::float8 as "longest_monologue_seconds!"
        from aftercall.conversations where job_id = $1
        "#,
        job_id as JobId,
    )
    .fetch_optional(db)
    .await
}

pub async fn speakers(db: impl PgExecutor<'_>, job_id: JobId) -> sqlx::Result<Vec<SpeakerShape>> {
    sqlx::query_as!(
        SpeakerShape,
        r#"
        select s.speaker_id, n.name as "speaker?", s.utterances, s.words, s.words_per_minute,
            s.questions, (s.talk_ms / 1000.0)::float8 as "talk_seconds!", s.talk_share,
            (s.longest_monologue_ms / 1000.0)::float8 as "longest_monologue_seconds!",
            s.interrupts, s.interrupted
        from aftercall.conversation_speakers s
        left join aftercall.speaker_names n on n.job_id = $1 and n.speaker_id = s.speaker_id
        where s.job_id = $1 order by s.speaker_id
        "#,
        job_id as JobId,
    )
    .fetch_all(db)
    .await
}

/// Talk time in buckets of `seconds` seconds, in order; only buckets with talk.
pub async fn buckets(
    db: impl PgExecutor<'_>,
    job_id: JobId,
    seconds: u32,
) -> sqlx::Result<Vec<BucketRow>> {
    let said = said(db, job_id).await?;
    let talk = timeline(&said).buckets(i64::from(seconds) * 1000);
    let row = |((bucket, speaker_id), talk): ((i64, &str), i64)| BucketRow {
        bucket,
        speaker_id: speaker_id.to_owned(),
        talk_seconds: super::seconds(talk),
    };
    Ok(talk.into_iter().map(row).collect())
}

/// Speaker by speaker, in chronological order.
pub async fn emotion_runs(db: impl PgExecutor<'_>, job_id: JobId) -> sqlx::Result<Vec<EmotionRun>> {
    let said = said(db, job_id).await?;
    let row = |run: Run<'_>| EmotionRun {
        speaker_id: run.speaker.to_owned(),
        emotion: run.emotion.to_owned(),
        start_seconds: super::seconds(run.start),
        end_seconds: super::seconds(run.end),
        utterances: run.utterances,
    };
    Ok(timeline(&said).emotion_runs().into_iter().map(row).collect())
}

struct SaidRow {
    start_seconds: f64,
    end_seconds: f64,
    speaker_id: Option<String>,
    emotion: Option<String>,
}

async fn said(db: impl PgExecutor<'_>, job_id: JobId) -> sqlx::Result<Vec<SaidRow>> {
    sqlx::query_as!(
        SaidRow,
        "select start_seconds, end_seconds, speaker_id, emotion
         from aftercall.utterances where job_id = $1 order by seq",
        job_id as JobId,
    )
    .fetch_all(db)
    .await
}

fn timeline(said: &[SaidRow]) -> Timeline<'_> {
    Timeline::new(said.iter().map(|row| Said {
        start: millis(row.start_seconds),
        end: millis(row.end_seconds),
        speaker: row.speaker_id.as_deref(),
        emotion: row.emotion.as_deref(),
    }))
}
