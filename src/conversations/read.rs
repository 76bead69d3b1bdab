//! Stored shapes, and what is made of the utterances when it is asked for. Seconds have at most three
//! decimals.
use sqlx::PgExecutor;
use uuid::Uuid;

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
    /// 0 to 1; `None` when nobody talks.
    pub talk_share: Option<f64>,
    pub longest_monologue_seconds: f64,
    pub interrupts: i32,
    pub interrupted: i32,
}

/// How long one speaker talks in one stretch of the recording.
#[derive(Debug)]
pub struct BucketRow {
    /// Position of the stretch, from 0.
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
    job_id: Uuid,
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
        job_id,
    )
    .fetch_optional(db)
    .await
}

pub async fn speakers(db: impl PgExecutor<'_>, job_id: Uuid) -> sqlx::Result<Vec<SpeakerShape>> {
    sqlx::query_as!(
        SpeakerShape,
        r#"
        select s.speaker_id, n.name as "speaker?", s.utterances, s.words, s.words_per_minute,
            s.questions, (s.talk_ms / 1000.0)::float8 as "talk_seconds!", s.talk_share,
            (s.longest_monologue_ms / 1000.0)::float8 as "longest_monologue_seconds!",
            s.interrupts, s.interrupted
        from aftercall.conversation_speakers s
        left join aftercall.speaker_names n on n.job_id = s.job_id and n.speaker_id = s.speaker_id
        where s.job_id = $1 order by s.speaker_id
        "#,
        job_id,
    )
    .fetch_all(db)
    .await
}

/// Talk in stretches of so many seconds, in their order; only where there is some.
pub async fn buckets(
    db: impl PgExecutor<'_>,
    job_id: Uuid,
    seconds: u32,
) -> sqlx::Result<Vec<BucketRow>> {
    sqlx::query_as!(
        BucketRow,
        r#"
        select bucket as "bucket!", speaker_id as "speaker_id!",
            (talk_ms / 1000.0)::float8 as "talk_seconds!"
        from aftercall.talk_in_buckets($1, $2) order by bucket, speaker_id
        "#,
        job_id,
        i64::from(seconds) * 1000,
    )
    .fetch_all(db)
    .await
}

/// Speaker by speaker, in the order of time.
pub async fn emotion_runs(db: impl PgExecutor<'_>, job_id: Uuid) -> sqlx::Result<Vec<EmotionRun>> {
    sqlx::query_as!(
        EmotionRun,
        r#"
        select speaker_id as "speaker_id!", emotion as "emotion!",
            (start_ms / 1000.0)::float8 as "start_seconds!",
            (end_ms / 1000.0)::float8 as "end_seconds!", utterances as "utterances!"
        from aftercall.emotion_runs($1) order by speaker_id, start_ms, end_ms, emotion
        "#,
        job_id,
    )
    .fetch_all(db)
    .await
}
