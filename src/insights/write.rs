//! Writes many results as documents and rows, in the caller's transaction.
use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgTransaction;

use super::{
    Analysis, Prepared,
    document::{DocumentOrigin, Documents},
};
use crate::{
    conversations::{self, NewConversation, is_short},
    db::column,
    jobs::JobId,
};

/// Stores the results of jobs that have none, and counts these jobs in the statistics.
pub async fn store(
    tx: &mut PgTransaction<'_>,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    store_rows(tx, &Documents::of(found), found).await
}

/// With one statement for the shapes and one for all the rest: a statement costs Postgres more than the rows that a small
/// result has in a table.
pub(super) async fn store_rows(
    tx: &mut PgTransaction<'_>,
    new: &Documents,
    found: &[(DocumentOrigin<'_>, &Prepared)],
) -> sqlx::Result<()> {
    let said = of_all(found, |analysis| &analysis.utterances);
    let mut jobs_with_text = column(&said, |(job_id, _)| *job_id);
    jobs_with_text.dedup();
    let talks = talks(found);
    let described = of_all(found, |analysis| &analysis.speaker_insights);
    let asked = of_all(found, |analysis| &analysis.questions);
    let insights = of_all(found, |analysis| &analysis.conversation_insights);
    sqlx::query_file!(
        "src/insights/store.sql",
        &new.jobs as &[JobId],
        &new.texts,
        &new.shas,
        &new.parser_versions,
        &new.are_partial,
        &new.speaker_counts as &[Option<i32>],
        &jobs_with_text as &[JobId],
        &column(&said, |(job_id, _)| *job_id) as &[JobId],
        &column(&said, |(_, u)| u.seq),
        &column(&said, |(_, u)| u.start),
        &column(&said, |(_, u)| u.end),
        &column(&said, |(_, u)| u.text.as_str()) as &[&str],
        &column(&said, |(_, u)| u.confidence) as &[Option<f64>],
        &column(&said, |(_, u)| u.speaker_id.as_deref()) as &[Option<&str>],
        &column(&said, |(_, u)| u.emotion.as_deref()) as &[Option<&str>],
        &column(&said, |(_, u)| u.emotion_confidence) as &[Option<f64>],
        &column(&said, |(_, u)| u.word_timings.as_deref()) as &[Option<&str>],
        &column(&talks, |(job_id, _, _)| *job_id) as &[JobId],
        &column(&talks, |(_, id, _)| *id) as &[&str],
        &column(&talks, |(_, _, talk)| talk.utterances),
        &column(&talks, |(_, _, talk)| talk.words),
        &column(&talks, |(_, _, talk)| conversations::seconds(talk.millis)),
        &column(&described, |(job_id, _)| *job_id) as &[JobId],
        &column(&described, |(_, i)| i.speaker_id.as_str()) as &[&str],
        &column(&described, |(_, i)| i.name.as_str()) as &[&str],
        &column(&described, |(_, i)| i.value.as_str()) as &[&str],
        &column(&described, |(_, i)| i.number) as &[Option<f64>],
        &column(&asked, |(job_id, _)| *job_id) as &[JobId],
        &column(&asked, |(_, q)| q.speaker_id.as_str()) as &[&str],
        &column(&asked, |(_, q)| q.text.as_str()) as &[&str],
        &column(&asked, |(_, q)| q.start) as &[Option<f64>],
        &column(&asked, |(_, q)| q.end) as &[Option<f64>],
        &column(&insights, |(job_id, _)| *job_id) as &[JobId],
        &column(&insights, |(_, i)| i.name.as_str()) as &[&str],
        &column(&insights, |(_, i)| i.seq),
        &column(&insights, |(_, i)| i.value.as_str()) as &[&str],
        &column(&insights, |(_, i)| i.start) as &[Option<f64>],
        &column(&insights, |(_, i)| i.end) as &[Option<f64>],
        &column(&insights, |(_, i)| i.confidence) as &[Option<f64>],
        &column(&insights, |(_, i)| i.speaker_id.as_deref()) as &[Option<&str>],
        &column(&insights, |(_, i)| i.extra.as_str()) as &[&str],
    )
    .execute(&mut **tx)
    .await?;
    conversations::store(tx, &column(found, conversation)).await
}

fn conversation<'a>(
    (origin, prepared): &(DocumentOrigin<'_>, &'a Prepared),
) -> NewConversation<'a> {
    let insights = prepared.analysis.conversation_insights.iter();
    let values: BTreeSet<(&str, &str)> = insights
        .map(|it| (it.name.as_str(), it.value.as_str()))
        .filter(|(name, value)| is_short(name) && is_short(value))
        .collect();
    let values = values.into_iter().collect();
    NewConversation { job_id: origin.job_id, shape: &prepared.shape, values }
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

/// The speakers of all results.
fn talks<'a>(found: &[(DocumentOrigin<'_>, &'a Prepared)]) -> Vec<(JobId, &'a str, Talk)> {
    let of_one = |(origin, prepared): &(DocumentOrigin<'_>, &'a Prepared)| {
        let job_id = origin.job_id;
        let talks = talk_by_speaker(&prepared.analysis).into_iter();
        talks.map(move |(id, talk)| (job_id, id, talk))
    };
    found.iter().flat_map(of_one).collect()
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
