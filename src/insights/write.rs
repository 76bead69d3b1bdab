//! Writes many results as documents and rows, in the caller's transaction.
use std::collections::BTreeMap;

use sqlx::PgTransaction;

use super::{
    Analysis, Prepared,
    document::{DocumentOrigin, Documents},
};
use crate::{conversations, db::column, jobs::JobId};

/// Stores the results of jobs that have none, with one statement per table.
pub async fn store(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    store_documents(tx, found).await?;
    store_rows(tx, found).await
}

/// All rows of a result except its document, and its shape.
pub(super) async fn store_rows(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    store_utterances(tx, found).await?;
    store_speakers(tx, found).await?;
    store_speaker_insights(tx, found).await?;
    store_questions(tx, found).await?;
    store_conversation_insights(tx, found).await?;
    conversations::store(tx, &column(found, |(origin, prepared)| (origin.job_id, &prepared.shape)))
        .await
}

async fn store_documents(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    let new = Documents::of(found);
    sqlx::query!(
        r#"
        insert into aftercall.results
            (job_id, document, document_sha, parser_version, is_partial, speaker_count)
        select * from unnest($1::uuid[], $2::text[], $3::bytea[], $4::int[], $5::bool[], $6::int[])
        "#,
        &new.jobs as &[JobId],
        &new.texts,
        &new.shas,
        &new.parser_versions,
        &new.are_partial,
        &new.speaker_counts as &[Option<i32>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn store_utterances(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    let rows = of_all(found, |analysis| &analysis.utterances);
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        with job as materialized (
            select id, caller_id, config, config::regconfig as parser,
                aftercall.search_scope(caller_id, config) as scope
            from aftercall.jobs
            cross join lateral aftercall.search_config(language) as config
            where id = any($1)
        ), known as (
            insert into aftercall.caller_configs
            select distinct caller_id, config from job
            where (caller_id, config) not in (select caller_id, config from aftercall.caller_configs)
            order by caller_id, config
            on conflict do nothing
        )
        insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text,
            confidence, speaker_id, emotion, emotion_confidence, word_timings, fts)
        select u.job_id, u.seq, u.start_seconds, u.end_seconds, u.text,
            u.confidence, u.speaker_id, u.emotion, u.emotion_confidence, u.word_timings::json,
            aftercall.utterance_fts(job.scope, job.parser, u.text)
        from unnest($1::uuid[], $2::int[], $3::float8[], $4::float8[], $5::text[], $6::float8[],
                $7::text[], $8::text[], $9::float8[], $10::text[])
            as u (job_id, seq, start_seconds, end_seconds, text, confidence, speaker_id, emotion,
                emotion_confidence, word_timings)
        join job on job.id = u.job_id
        "#,
        &column(&rows, |(job_id, _)| *job_id) as &[JobId],
        &column(&rows, |(_, u)| u.seq),
        &column(&rows, |(_, u)| u.start),
        &column(&rows, |(_, u)| u.end),
        &column(&rows, |(_, u)| u.text.as_str()) as &[&str],
        &column(&rows, |(_, u)| u.confidence) as &[Option<f64>],
        &column(&rows, |(_, u)| u.speaker_id.as_deref()) as &[Option<&str>],
        &column(&rows, |(_, u)| u.emotion.as_deref()) as &[Option<&str>],
        &column(&rows, |(_, u)| u.emotion_confidence) as &[Option<f64>],
        &column(&rows, |(_, u)| u.word_timings.as_deref()) as &[Option<&str>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Counts of one speaker's utterances.
#[derive(Default)]
struct Talk {
    utterances: i32,
    words: i32,
    millis: i64,
}

/// All speakers with utterances or insights.
fn talk_by_speaker(analysis: &Analysis) -> BTreeMap<&str, Talk> {
    let mut speakers: BTreeMap<&str, Talk> = BTreeMap::new();
    for insight in &analysis.speaker_insights {
        speakers.entry(&insight.speaker_id).or_default();
    }
    for utterance in &analysis.utterances {
        let Some(id) = &utterance.speaker_id else { continue };
        let talk = speakers.entry(id).or_default();
        talk.utterances += 1;
        talk.words = talk.words.saturating_add(utterance.words());
        talk.millis += utterance.said().length();
    }
    speakers
}

async fn store_speakers(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    let rows: Vec<(JobId, &str, Talk)> = found
        .iter()
        .flat_map(|(origin, prepared)| {
            let speakers = talk_by_speaker(&prepared.analysis).into_iter();
            speakers.map(|(id, talk)| (origin.job_id, id, talk))
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into aftercall.speakers
            (job_id, speaker_id, utterance_count, word_count, talk_seconds)
        select * from unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::float8[])
        "#,
        &column(&rows, |(job_id, _, _)| *job_id) as &[JobId],
        &column(&rows, |(_, id, _)| *id) as &[&str],
        &column(&rows, |(_, _, talk)| talk.utterances),
        &column(&rows, |(_, _, talk)| talk.words),
        &column(&rows, |(_, _, talk)| conversations::seconds(talk.millis)),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn store_speaker_insights(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    let rows = of_all(found, |analysis| &analysis.speaker_insights);
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into aftercall.speaker_insights (job_id, speaker_id, name, value, number, seq)
        select i.job_id, i.speaker_id, i.name, i.value, i.number, i.seq
        from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::float8[])
            with ordinality as i (job_id, speaker_id, name, value, number, seq)
        "#,
        &column(&rows, |(job_id, _)| *job_id) as &[JobId],
        &column(&rows, |(_, i)| i.speaker_id.as_str()) as &[&str],
        &column(&rows, |(_, i)| i.name.as_str()) as &[&str],
        &column(&rows, |(_, i)| i.value.as_str()) as &[&str],
        &column(&rows, |(_, i)| i.number) as &[Option<f64>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn store_questions(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    let rows = of_all(found, |analysis| &analysis.questions);
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into aftercall.questions
            (job_id, speaker_id, text, start_seconds, end_seconds, seq)
        select q.job_id, q.speaker_id, q.text, q.start_seconds, q.end_seconds, q.seq
        from unnest($1::uuid[], $2::text[], $3::text[], $4::float8[], $5::float8[])
            with ordinality as q (job_id, speaker_id, text, start_seconds, end_seconds, seq)
        "#,
        &column(&rows, |(job_id, _)| *job_id) as &[JobId],
        &column(&rows, |(_, q)| q.speaker_id.as_str()) as &[&str],
        &column(&rows, |(_, q)| q.text.as_str()) as &[&str],
        &column(&rows, |(_, q)| q.start) as &[Option<f64>],
        &column(&rows, |(_, q)| q.end) as &[Option<f64>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn store_conversation_insights(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    let rows = of_all(found, |analysis| &analysis.conversation_insights);
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into aftercall.conversation_insights (job_id, name, seq, value, start_seconds,
            end_seconds, confidence, speaker_id, extra)
        select i.job_id, i.name, i.seq, i.value, i.start_seconds,
            i.end_seconds, i.confidence, i.speaker_id, i.extra::json
        from unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::float8[], $6::float8[],
                $7::float8[], $8::text[], $9::text[])
            as i (job_id, name, seq, value, start_seconds, end_seconds, confidence, speaker_id, extra)
        "#,
        &column(&rows, |(job_id, _)| *job_id) as &[JobId],
        &column(&rows, |(_, i)| i.name.as_str()) as &[&str],
        &column(&rows, |(_, i)| i.seq),
        &column(&rows, |(_, i)| i.value.as_str()) as &[&str],
        &column(&rows, |(_, i)| i.start) as &[Option<f64>],
        &column(&rows, |(_, i)| i.end) as &[Option<f64>],
        &column(&rows, |(_, i)| i.confidence) as &[Option<f64>],
        &column(&rows, |(_, i)| i.speaker_id.as_deref()) as &[Option<&str>],
        &column(&rows, |(_, i)| i.extra.as_str()) as &[&str],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The rows of one kind of all results, each with its job id.
fn of_all<'a, T>(
    found: &'a [(DocumentOrigin<'_>, &'a Prepared)],
    rows: impl Fn(&'a Analysis) -> &'a [T],
) -> Vec<(JobId, &'a T)> {
    found
        .iter()
        .flat_map(|(origin, prepared)| {
            rows(&prepared.analysis).iter().map(|row| (origin.job_id, row))
        })
        .collect()
}
