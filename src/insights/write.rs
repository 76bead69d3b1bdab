//! A result becomes one document and its rows, in the caller's transaction.
use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgTransaction;
use uuid::Uuid;

use super::{Analysis, Utterance};

/// Where a result came from; part of its document.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub job_id: Uuid,
    pub provider_job_id: Option<&'a str>,
    pub parser_version: i32,
}

/// Stores the result of a job that has none.
pub async fn store(
    tx: &mut PgTransaction<'_>,
    origin: Origin<'_>,
    analysis: &Analysis,
) -> sqlx::Result<()> {
    let document = document(origin, analysis);
    let document_sha = Sha256::digest(&document);
    sqlx::query!(
        r#"
        insert into aftercall.results
            (job_id, document, document_sha, parser_version, is_partial, speaker_count)
        values ($1, $2, $3, $4, $5, $6)
        "#,
        origin.job_id,
        document,
        document_sha.as_slice(),
        origin.parser_version,
        !analysis.issues.is_empty(),
        analysis.speaker_count,
    )
    .execute(&mut **tx)
    .await?;
    store_utterances(tx, origin.job_id, &analysis.utterances).await?;
    store_speakers(tx, origin.job_id, analysis).await?;
    store_speaker_insights(tx, origin.job_id, analysis).await?;
    store_conversation_insights(tx, origin.job_id, analysis).await
}

/// The provider's members as they came, behind what Aftercall knows about them. Members that the
/// contract does not name move to `other`, so that they can never hide one of ours.
fn document(origin: Origin<'_>, analysis: &Analysis) -> String {
    let mut document = json!({
        "jobId": origin.job_id,
        "providerJobId": origin.provider_job_id,
        "parserVersion": origin.parser_version,
        "partial": !analysis.issues.is_empty(),
        "issues": analysis.issues,
    });
    let mut other = serde_json::Map::new();
    for (name, value) in &analysis.document {
        match name.as_str() {
            "utteranceInsights" | "speakerInsights" | "conversationalInsights" => {
                document[name] = value.clone();
            }
            _ => {
                other.insert(name.clone(), value.clone());
            }
        }
    }
    if !other.is_empty() {
        document["other"] = Value::Object(other);
    }
    document.to_string()
}

async fn store_utterances(
    tx: &mut PgTransaction<'_>,
    job_id: Uuid,
    utterances: &[Utterance],
) -> sqlx::Result<()> {
    let words = |u: &Utterance| u.word_timings.as_ref().map(Value::to_string);
    sqlx::query!(
        r#"
        insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text,
            confidence, speaker_id, emotion, emotion_confidence, word_timings)
        select $1, u.seq, u.start_seconds, u.end_seconds, u.text,
            u.confidence, u.speaker_id, u.emotion, u.emotion_confidence, u.word_timings::json
        from unnest($2::int[], $3::float8[], $4::float8[], $5::text[], $6::float8[], $7::text[],
                $8::text[], $9::float8[], $10::text[])
            as u (seq, start_seconds, end_seconds, text, confidence, speaker_id, emotion,
                emotion_confidence, word_timings)
        "#,
        job_id,
        &column(utterances, |u| u.seq),
        &column(utterances, |u| u.start),
        &column(utterances, |u| u.end),
        &column(utterances, |u| u.text.clone()),
        &column(utterances, |u| u.confidence) as &[Option<f64>],
        &column(utterances, |u| u.speaker_id.clone()) as &[Option<String>],
        &column(utterances, |u| u.emotion.clone()) as &[Option<String>],
        &column(utterances, |u| u.emotion_confidence) as &[Option<f64>],
        &column(utterances, words) as &[Option<String>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Everybody who speaks or about whom something is said.
async fn store_speakers(
    tx: &mut PgTransaction<'_>,
    job_id: Uuid,
    analysis: &Analysis,
) -> sqlx::Result<()> {
    let mut speakers: BTreeMap<&str, (i32, i32, f64)> = BTreeMap::new();
    for insight in &analysis.speaker_insights {
        speakers.entry(&insight.speaker_id).or_default();
    }
    for utterance in &analysis.utterances {
        let Some(id) = &utterance.speaker_id else { continue };
        let (count, words, talk) = speakers.entry(id).or_default();
        *count += 1;
        let spoken = utterance.text.split_whitespace().count();
        *words = words.saturating_add(i32::try_from(spoken).unwrap_or(i32::MAX));
        *talk += utterance.end - utterance.start;
    }
    let speakers: Vec<_> = speakers.into_iter().collect();
    sqlx::query!(
        r#"
        insert into aftercall.speakers
            (job_id, speaker_id, utterance_count, word_count, talk_seconds)
        select $1, * from unnest($2::text[], $3::int[], $4::int[], $5::float8[])
        "#,
        job_id,
        &column(&speakers, |(id, _)| (*id).to_owned()),
        &column(&speakers, |(_, (count, _, _))| *count),
        &column(&speakers, |(_, (_, words, _))| *words),
        &column(&speakers, |(_, (_, _, talk))| *talk),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn store_speaker_insights(
    tx: &mut PgTransaction<'_>,
    job_id: Uuid,
    analysis: &Analysis,
) -> sqlx::Result<()> {
    let insights = &analysis.speaker_insights;
    sqlx::query!(
        r#"
        insert into aftercall.speaker_insights (job_id, speaker_id, name, value, number, seq)
        select $1, i.speaker_id, i.name, i.value, i.number, i.seq
        from unnest($2::text[], $3::text[], $4::text[], $5::float8[])
            with ordinality as i (speaker_id, name, value, number, seq)
        "#,
        job_id,
        &column(insights, |i| i.speaker_id.clone()),
        &column(insights, |i| i.name.clone()),
        &column(insights, |i| i.value.clone()),
        &column(insights, |i| i.number) as &[Option<f64>],
    )
    .execute(&mut **tx)
    .await?;
    let questions = &analysis.questions;
    sqlx::query!(
        r#"
        insert into aftercall.questions
            (job_id, speaker_id, text, start_seconds, end_seconds, seq)
        select $1, q.speaker_id, q.text, q.start_seconds, q.end_seconds, q.seq
        from unnest($2::text[], $3::text[], $4::float8[], $5::float8[])
            with ordinality as q (speaker_id, text, start_seconds, end_seconds, seq)
        "#,
        job_id,
        &column(questions, |q| q.speaker_id.clone()),
        &column(questions, |q| q.text.clone()),
        &column(questions, |q| q.start) as &[Option<f64>],
        &column(questions, |q| q.end) as &[Option<f64>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn store_conversation_insights(
    tx: &mut PgTransaction<'_>,
    job_id: Uuid,
    analysis: &Analysis,
) -> sqlx::Result<()> {
    let insights = &analysis.conversation_insights;
    sqlx::query!(
        r#"
        insert into aftercall.conversation_insights (job_id, name, seq, value, start_seconds,
            end_seconds, confidence, speaker_id, extra)
        select $1, i.name, i.seq, i.value, i.start_seconds,
            i.end_seconds, i.confidence, i.speaker_id, i.extra::json
        from unnest($2::text[], $3::int[], $4::text[], $5::float8[], $6::float8[], $7::float8[],
                $8::text[], $9::text[])
            as i (name, seq, value, start_seconds, end_seconds, confidence, speaker_id, extra)
        "#,
        job_id,
        &column(insights, |i| i.name.clone()),
        &column(insights, |i| i.seq),
        &column(insights, |i| i.value.clone()),
        &column(insights, |i| i.start) as &[Option<f64>],
        &column(insights, |i| i.end) as &[Option<f64>],
        &column(insights, |i| i.confidence) as &[Option<f64>],
        &column(insights, |i| i.speaker_id.clone()) as &[Option<String>],
        &column(insights, |i| Value::Object(i.extra.clone()).to_string()),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One member of every row, as `unnest` takes it.
fn column<T, C>(rows: &[T], member: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(member).collect()
}
