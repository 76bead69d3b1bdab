//! Insights about the conversation as a whole, with the utterances they are based on.
use serde_json::{Map, Value};
use sqlx::{FromRow, PgExecutor, Postgres, QueryBuilder, types::Json};

use crate::jobs::JobId;

#[derive(Debug, FromRow)]
pub struct ConversationInsightRow {
    pub name: String,
    pub seq: i32,
    pub value: String,
    pub start_seconds: Option<f64>,
    pub end_seconds: Option<f64>,
    pub confidence: Option<f64>,
    pub speaker_id: Option<String>,
    pub speaker: Option<String>,
    pub extra: Json<Map<String, Value>>,
    /// Positions of the utterances that overlap it in time, ascending.
    pub evidence: Vec<i32>,
}

/// All values of the conversational insights with these names, or of all insights if `names` is
/// empty.
pub async fn conversation_insights(
    db: impl PgExecutor<'_>,
    job_id: JobId,
    names: &[String],
) -> sqlx::Result<Vec<ConversationInsightRow>> {
    select_conversation_insights(job_id, names).build_query_as().fetch_all(db).await
}

/// The short summary of a job's result, or the long one without it; `None` if it has neither, or if the result has
/// expired.
pub async fn summary(db: impl PgExecutor<'_>, job_id: JobId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        select string_agg(i.value, E'\n' order by i.seq)
        from aftercall.conversation_insights i
        join aftercall.jobs j on j.id = i.job_id and j.result_expired_at is null
        where i.job_id = $1 and i.name in ('AbstractiveSummaryShort', 'AbstractiveSummaryLong')
        group by i.name order by i.name desc limit 1
        "#,
        job_id as JobId,
    )
    .fetch_optional(db)
    .await
    .map(Option::flatten)
}

/// The statement of [`conversation_insights`].
///
/// Finds overlapping utterances by bisection. In the order of their starts, those that may overlap
/// a span lie between the last one that starts before its end and the first one up to which
/// anything reaches beyond its start. `width_bucket` finds both; only what is between is compared.
pub fn select_conversation_insights(job_id: JobId, names: &[String]) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::default();
    query
        .push(
            "with said as materialized (
                select array_agg(seq order by start_seconds, seq) as seqs,
                    array_agg(start_seconds order by start_seconds, seq) as starts,
                    array_agg(end_seconds order by start_seconds, seq) as ends,
                    array_agg(reach order by start_seconds, seq) as reaches
                from (
                    select seq, start_seconds, end_seconds,
                        max(end_seconds) over (order by start_seconds, seq) as reach
                    from aftercall.utterances where job_id = ",
        )
        .push_bind(job_id)
        .push(
            ") u)
            select i.name, i.seq, i.value, i.start_seconds, i.end_seconds, i.confidence,
                i.speaker_id, n.name as speaker, i.extra,
                array(
                    select u.seq
                    from unnest(said.seqs[near.first:near.last], said.starts[near.first:near.last],
                        said.ends[near.first:near.last]) as u (seq, start_seconds, end_seconds)
                    where aftercall.overlap(u.start_seconds, u.end_seconds, span.first, span.last)
                    order by u.seq
                ) as evidence
            from aftercall.conversation_insights i
            cross join said
            cross join lateral (
                select coalesce(i.start_seconds, i.end_seconds) as first,
                    coalesce(i.end_seconds, i.start_seconds) as last
            ) span
            -- A millisecond early: an utterance that is a point reaches no further than itself.
            cross join lateral (
                select width_bucket(span.first - 0.001, said.reaches) + 1 as first,
                    width_bucket(span.last, said.starts) as last
            ) near
            left join aftercall.speaker_names n
                on n.job_id = i.job_id and n.speaker_id = i.speaker_id
            where i.job_id = ",
        )
        .push_bind(job_id);
    if !names.is_empty() {
        query.push(" and i.name = any(").push_bind(names.to_vec()).push(")");
    }
    query.push(" order by i.name, i.seq");
    query
}
