//! Stored results as callers ask for them. That the job is theirs is checked in the same statement
//! or before.
use serde_json::{Map, Value};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

/// The stored document and the SHA-256 that names it.
#[derive(Debug)]
pub struct StoredResult {
    pub document: String,
    pub document_sha: Vec<u8>,
}

#[derive(Debug)]
pub struct UtteranceRow {
    pub seq: i32,
    pub start_seconds: f64,
    pub end_seconds: f64,
    pub text: String,
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    pub emotion: Option<String>,
    pub emotion_confidence: Option<f64>,
    pub word_timings: Option<Value>,
    /// Where words were looked for: see [`super::search::HitRow::snippet`].
    pub snippet: Option<String>,
}

#[derive(Debug)]
pub struct SpeakerRow {
    pub speaker_id: String,
    pub utterance_count: i32,
    pub word_count: i32,
    pub talk_seconds: f64,
}

#[derive(Debug)]
pub struct SpeakerInsightRow {
    pub speaker_id: String,
    pub name: String,
    pub value: String,
    pub number: Option<f64>,
}

#[derive(Debug)]
pub struct QuestionRow {
    pub speaker_id: String,
    pub text: String,
    pub start_seconds: Option<f64>,
    pub end_seconds: Option<f64>,
}

#[derive(Debug)]
pub struct ConversationInsightRow {
    pub name: String,
    pub seq: i32,
    pub value: String,
    pub start_seconds: Option<f64>,
    pub end_seconds: Option<f64>,
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    pub extra: Json<Map<String, Value>>,
}

/// The result of a job of that caller; `None` when there is no such job or no result yet.
pub async fn result(
    db: impl PgExecutor<'_>,
    caller_id: Uuid,
    job_id: Uuid,
) -> sqlx::Result<Option<StoredResult>> {
    sqlx::query_as!(
        StoredResult,
        r#"
        select r.document, r.document_sha
        from aftercall.results r join aftercall.jobs j on j.id = r.job_id
        where r.job_id = $2 and j.caller_id = $1
        "#,
        caller_id,
        job_id,
    )
    .fetch_optional(db)
    .await
}

/// The same for many pairs of caller and job at once, in their order.
pub async fn results(
    db: impl PgExecutor<'_>,
    wanted: &[(Uuid, Uuid)],
) -> sqlx::Result<Vec<Option<StoredResult>>> {
    let callers: Vec<Uuid> = wanted.iter().map(|(caller_id, _)| *caller_id).collect();
    let jobs: Vec<Uuid> = wanted.iter().map(|(_, job_id)| *job_id).collect();
    let rows = sqlx::query!(
        r#"
        select w.n as "n!", r.document, r.document_sha
        from unnest($1::uuid[], $2::uuid[]) with ordinality as w (caller_id, job_id, n)
        join aftercall.jobs j on j.id = w.job_id and j.caller_id = w.caller_id
        join aftercall.results r on r.job_id = w.job_id
        "#,
        &callers,
        &jobs,
    )
    .fetch_all(db)
    .await?;
    let mut found: Vec<_> = wanted.iter().map(|_| None).collect();
    for row in rows {
        let place = usize::try_from(row.n - 1).ok().and_then(|n| found.get_mut(n));
        if let Some(place) = place {
            let (document, document_sha) = (row.document, row.document_sha);
            *place = Some(StoredResult { document, document_sha });
        }
    }
    Ok(found)
}

/// Utterances after position `after`, in the provider's order; only those with the words of `q`, if
/// there is one.
pub async fn utterances(
    db: impl PgExecutor<'_>,
    job_id: Uuid,
    q: Option<&str>,
    after: i32,
    limit: i64,
) -> sqlx::Result<Vec<UtteranceRow>> {
    sqlx::query_as!(
        UtteranceRow,
        r#"
        select seq, start_seconds, end_seconds, text, confidence, speaker_id, emotion,
            emotion_confidence, word_timings as "word_timings: Value",
            aftercall.search_snippet(c.config, text, c.words) as snippet
        from aftercall.utterances
        cross join (
            select config, websearch_to_tsquery(config::regconfig, $4) as words
            from aftercall.jobs
            cross join lateral aftercall.search_config(request ->> 'languageCode') as config
            where id = $1
        ) c
        where job_id = $1 and seq > $2 and ($4::text is null or fts @@ c.words)
        order by seq limit $3
        "#,
        job_id,
        after,
        limit,
        q,
    )
    .fetch_all(db)
    .await
}

pub async fn speakers(db: impl PgExecutor<'_>, job_id: Uuid) -> sqlx::Result<Vec<SpeakerRow>> {
    sqlx::query_as!(
        SpeakerRow,
        r#"
        select speaker_id, utterance_count, word_count, talk_seconds
        from aftercall.speakers where job_id = $1 order by speaker_id
        "#,
        job_id,
    )
    .fetch_all(db)
    .await
}

pub async fn speaker_insights(
    db: impl PgExecutor<'_>,
    job_id: Uuid,
) -> sqlx::Result<Vec<SpeakerInsightRow>> {
    sqlx::query_as!(
        SpeakerInsightRow,
        r#"
        select speaker_id, name, value, number
        from aftercall.speaker_insights where job_id = $1 order by seq
        "#,
        job_id,
    )
    .fetch_all(db)
    .await
}

pub async fn questions(db: impl PgExecutor<'_>, job_id: Uuid) -> sqlx::Result<Vec<QuestionRow>> {
    sqlx::query_as!(
        QuestionRow,
        r#"
        select speaker_id, text, start_seconds, end_seconds
        from aftercall.questions where job_id = $1 order by seq
        "#,
        job_id,
    )
    .fetch_all(db)
    .await
}

/// All values of all conversational insights, or of the one called `name`.
pub async fn conversation_insights(
    db: impl PgExecutor<'_>,
    job_id: Uuid,
    name: Option<&str>,
) -> sqlx::Result<Vec<ConversationInsightRow>> {
    sqlx::query_as!(
        ConversationInsightRow,
        r#"
        select name, seq, value, start_seconds, end_seconds, confidence, speaker_id,
            extra as "extra: Json<Map<String, Value>>"
        from aftercall.conversation_insights
        where job_id = $1 and ($2::text is null or name = $2)
        order by name, seq
        "#,
        job_id,
        name,
    )
    .fetch_all(db)
    .await
}
