//! Writes the shapes of many jobs as rows, in the caller's transaction.
use sqlx::PgTransaction;

use super::{Shape, SpeakerMeasures};
use crate::{
    db::{Lists, column, integer},
    jobs::JobId,
};

/// Stores the shapes of jobs that have none, with one statement per table.
pub async fn store(tx: &mut PgTransaction<'_>, shapes: &[(JobId, &Shape)]) -> sqlx::Result<()> {
    if shapes.is_empty() {
        return Ok(());
    }
    store_conversations(tx, shapes).await?;
    store_speakers(tx, shapes).await
}

async fn store_conversations(
    tx: &mut PgTransaction<'_>,
    shapes: &[(JobId, &Shape)],
) -> sqlx::Result<()> {
    let emotions = Lists::of(shapes.iter().map(|(_, shape)| shape.emotions.as_slice()));
    let insights = Lists::of(shapes.iter().map(|(_, shape)| shape.insight_names.as_slice()));
    sqlx::query!(
        r#"
        insert into aftercall.conversations (job_id, caller_id, created_at, language, audio_type, tags,
            speaker_count, utterances, words, questions, interruptions,
            duration_ms, talk_ms, silence_ms, overlap_ms, longest_silence_ms, longest_monologue_ms,
            emotions, emotion_utterances, emotion_ms, insight_names)
        select j.id, j.caller_id, j.created_at, j.language, j.audio_type,
            j.tags,
            s.speaker_count, s.utterances, s.words, s.questions, s.interruptions,
            s.duration, s.talk, s.silence, s.overlap, s.longest_silence, s.longest_monologue,
            ($17::text[])[s.first_emotion:s.last_emotion],
            ($18::int[])[s.first_emotion:s.last_emotion],
            ($19::bigint[])[s.first_emotion:s.last_emotion],
            ($20::text[])[s.first_insight:s.last_insight]
        from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[],
                $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
                $13::int[], $14::int[], $15::int[], $16::int[])
            as s (job_id, speaker_count, utterances, words, questions, interruptions,
                duration, talk, silence, overlap, longest_silence, longest_monologue,
                first_emotion, last_emotion, first_insight, last_insight)
        join aftercall.jobs j on j.id = s.job_id
        "#,
        &column(shapes, |(job_id, _)| *job_id) as &[JobId],
        &column(shapes, |(_, shape)| integer(shape.speakers.len())),
        &column(shapes, |(_, shape)| shape.utterances),
        &column(shapes, |(_, shape)| shape.words),
        &column(shapes, |(_, shape)| shape.questions),
        &column(shapes, |(_, shape)| shape.interruptions),
        &column(shapes, |(_, shape)| shape.duration),
        &column(shapes, |(_, shape)| shape.talk),
        &column(shapes, |(_, shape)| shape.silence),
        &column(shapes, |(_, shape)| shape.overlap),
        &column(shapes, |(_, shape)| shape.longest_silence),
        &column(shapes, |(_, shape)| shape.longest_monologue),
        &emotions.first,
        &emotions.last,
        &insights.first,
        &insights.last,
        &column(&emotions.members, |emotion| emotion.name.as_str()) as &[&str],
        &column(&emotions.members, |emotion| emotion.utterances),
        &column(&emotions.members, |emotion| emotion.length),
        &column(&insights.members, |name| name.as_str()) as &[&str],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn store_speakers(
    tx: &mut PgTransaction<'_>,
    shapes: &[(JobId, &Shape)],
) -> sqlx::Result<()> {
    let rows: Vec<(JobId, &SpeakerMeasures)> = shapes
        .iter()
        .flat_map(|(job_id, shape)| shape.speakers.iter().map(|speaker| (*job_id, speaker)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into aftercall.conversation_speakers (job_id, speaker_id, utterances, words, questions,
            talk_ms, talk_share, longest_monologue_ms, interrupts, interrupted)
        select * from unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[],
            $6::bigint[], $7::float8[], $8::bigint[], $9::int[], $10::int[])
        "#,
        &column(&rows, |(job_id, _)| *job_id) as &[JobId],
        &column(&rows, |(_, speaker)| speaker.id.as_str()) as &[&str],
        &column(&rows, |(_, speaker)| speaker.utterances),
        &column(&rows, |(_, speaker)| speaker.words),
        &column(&rows, |(_, speaker)| speaker.questions),
        &column(&rows, |(_, speaker)| speaker.talk),
        &column(&rows, |(_, speaker)| speaker.talk_share) as &[Option<f64>],
        &column(&rows, |(_, speaker)| speaker.longest_monologue),
        &column(&rows, |(_, speaker)| speaker.interrupts),
        &column(&rows, |(_, speaker)| speaker.interrupted),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
