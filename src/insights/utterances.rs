//! The utterances of a job. The caller's access is checked before.
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{FromRow, PgExecutor, PgTransaction, Postgres, QueryBuilder, types::Json};

use crate::jobs::JobId;

/// Which utterances of a job, and which details. Times are in seconds from the start of the
/// recording.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UtteranceFilter {
    /// Empty: all, including utterances without a speaker.
    pub speaker_ids: Vec<String>,
    /// Compared case-insensitively. Empty: all, including utterances without an emotion.
    pub emotions: Vec<String>,
    /// Utterances that overlap the time from here on,
    pub from: Option<f64>,
    /// and before this.
    pub to: Option<f64>,
    /// 0 to 1; utterances without a confidence are excluded.
    pub min_confidence: Option<f64>,
    /// Words in the syntax of [`super::search`].
    pub said: Option<String>,
    pub with_words: bool,
    pub with_insights: bool,
}

#[derive(Debug, FromRow)]
pub struct UtteranceRow {
    pub seq: i32,
    pub start_seconds: f64,
    pub end_seconds: f64,
    pub text: String,
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    pub speaker: Option<String>,
    pub emotion: Option<String>,
    pub emotion_confidence: Option<f64>,
    pub word_timings: Option<Value>,
    pub insights: Option<Json<Vec<InsightRef>>>,
    /// When words were searched for; see [`super::search::HitRow::snippet`].
    pub snippet: Option<String>,
}

/// Reference to a value of a conversational insight.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InsightRef {
    pub name: String,
    /// Index among the values of the same name, from 0.
    pub seq: i32,
}

/// Utterances after position `after`, in the provider's order.
pub async fn utterances(
    tx: &mut PgTransaction<'_>,
    job_id: JobId,
    filter: &UtteranceFilter,
    after: i32,
    limit: i64,
) -> sqlx::Result<Vec<UtteranceRow>> {
    let mut statement = select_utterances(job_id, filter, after, limit);
    statement.build_query_as().fetch_all(&mut **tx).await
}

/// The statement of [`utterances`], built from the given filters, so that each combination has its
/// own plan.
pub fn select_utterances(
    job_id: JobId,
    filter: &UtteranceFilter,
    after: i32,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::default();
    if filter.with_insights {
        query
            .push(
                "with insight as materialized (
                    select name, seq, coalesce(start_seconds, end_seconds) as start_seconds,
                        coalesce(end_seconds, start_seconds) as end_seconds
                    from aftercall.conversation_insights where job_id = ",
            )
            .push_bind(job_id)
            .push(") ");
    }
    query.push(
        "select u.seq, u.start_seconds, u.end_seconds, u.text, u.confidence, u.speaker_id,
            n.name as speaker, u.emotion, u.emotion_confidence, ",
    );
    query.push(if filter.with_words { "u.word_timings, " } else { "null::json as word_timings, " });
    query.push(if filter.with_insights {
        "(select coalesce(json_agg(json_build_object('name', i.name, 'seq', i.seq)
                order by i.name, i.seq), '[]')
            from insight i
            where aftercall.overlap(u.start_seconds, u.end_seconds, i.start_seconds, i.end_seconds)
        ) as insights"
    } else {
        "null::json as insights"
    });
    query.push(if filter.said.is_some() {
        ", aftercall.search_snippet(said.config, u.text, said.words) as snippet"
    } else {
        ", null::text as snippet"
    });
    query.push(
        " from aftercall.utterances u
        left join aftercall.speaker_names n
            on n.job_id = u.job_id and n.speaker_id = u.speaker_id",
    );
    if let Some(said) = &filter.said {
        query
            .push(" cross join (select config, websearch_to_tsquery(config::regconfig, ")
            .push_bind(said.clone())
            .push(
                ") as words from aftercall.jobs
                cross join lateral aftercall.search_config(request ->> 'languageCode') as config
                where id = ",
            )
            .push_bind(job_id)
            .push(") said");
    }
    query.push(" where u.job_id = ").push_bind(job_id).push(" and u.seq > ").push_bind(after);
    push_filter(&mut query, filter);
    query.push(" order by u.seq limit ").push_bind(limit);
    query
}

fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &UtteranceFilter) {
    if !filter.speaker_ids.is_empty() {
        query.push(" and u.speaker_id = any(").push_bind(filter.speaker_ids.clone()).push(")");
    }
    if !filter.emotions.is_empty() {
        query
            .push(" and lower(u.emotion) in (select lower(e) from unnest(")
            .push_bind(filter.emotions.clone())
            .push("::text[]) e)");
    }
    if let Some(from) = filter.from {
        query
            .push(" and (u.end_seconds > ")
            .push_bind(from)
            .push(" or u.start_seconds = ")
            .push_bind(from)
            .push(")");
    }
    if let Some(to) = filter.to {
        query.push(" and u.start_seconds < ").push_bind(to);
    }
    if filter.said.is_some() {
        query.push(" and u.fts @@ said.words");
    }
    if let Some(least) = filter.min_confidence {
        query.push(" and u.confidence >= ").push_bind(least);
    }
}

/// An utterance as transcripts need it.
#[derive(Debug, Clone, Default)]
pub struct Spoken {
    pub seq: i32,
    pub start_seconds: f64,
    pub end_seconds: f64,
    pub text: String,
    pub speaker_id: Option<String>,
    /// The caller's name for the speaker.
    pub speaker: Option<String>,
    /// Only on request.
    pub word_timings: Option<Value>,
}

/// All utterances of a job, in the provider's order.
pub async fn spoken(
    db: impl PgExecutor<'_>,
    job_id: JobId,
    with_words: bool,
) -> sqlx::Result<Vec<Spoken>> {
    sqlx::query_as!(
        Spoken,
        r#"
        select u.seq, u.start_seconds, u.end_seconds, u.text, u.speaker_id, n.name as "speaker?",
            case when $2 then u.word_timings end as "word_timings: Value"
        from aftercall.utterances u
        left join aftercall.speaker_names n on n.job_id = u.job_id and n.speaker_id = u.speaker_id
        where u.job_id = $1 order by u.seq
        "#,
        job_id as JobId,
        with_words,
    )
    .fetch_all(db)
    .await
}
