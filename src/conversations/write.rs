//! Writes the shapes of many jobs as rows, and counts them in the statistics, in the caller's transaction.
use sqlx::PgTransaction;

use super::Shape;
use crate::{
    db::{Lists, column, integer},
    jobs::JobId,
};

/// The conversation of a job that is completed in the same transaction, or already was.
#[derive(Debug)]
pub struct NewConversation<'a> {
    pub job_id: JobId,
    pub shape: &'a Shape,
    /// The distinct insights of the whole conversation that are grouped by in statistics, as name and value.
    pub values: Vec<(&'a str, &'a str)>,
}

/// Stores the shapes of jobs that have none, and counts the jobs as completed, which the triggers leave to it for the
/// rest of the transaction.
pub async fn store(tx: &mut PgTransaction<'_>, new: &[NewConversation<'_>]) -> sqlx::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let emotions = Lists::of(new.iter().map(|it| it.shape.emotions.as_slice()));
    let insights = Lists::of(new.iter().map(|it| it.shape.insight_names.as_slice()));
    let values = Lists::of(new.iter().map(|it| it.values.as_slice()));
    let of_speakers = |it: &NewConversation<'_>| vec![it.job_id; it.shape.speakers.len()];
    let jobs_of_speakers: Vec<JobId> = new.iter().flat_map(of_speakers).collect();
    let speakers: Vec<_> = new.iter().flat_map(|it| &it.shape.speakers).collect();
    sqlx::query_file!(
        "src/conversations/store.sql",
        &column(new, |it| it.job_id) as &[JobId],
        &column(new, |it| integer(it.shape.speakers.len())),
        &column(new, |it| it.shape.utterances),
        &column(new, |it| it.shape.words),
        &column(new, |it| it.shape.questions),
        &column(new, |it| it.shape.interruptions),
        &column(new, |it| it.shape.duration),
        &column(new, |it| it.shape.talk),
        &column(new, |it| it.shape.silence),
        &column(new, |it| it.shape.overlap),
        &column(new, |it| it.shape.longest_silence),
        &column(new, |it| it.shape.longest_monologue),
        &emotions.first,
        &emotions.last,
        &insights.first,
        &insights.last,
        &values.first,
        &values.last,
        &column(&emotions.members, |emotion| emotion.name.as_str()) as &[&str],
        &column(&emotions.members, |emotion| emotion.utterances),
        &column(&emotions.members, |emotion| emotion.length),
        &column(&insights.members, |name| name.as_str()) as &[&str],
        &column(&values.members, |(name, _)| *name) as &[&str],
        &column(&values.members, |(_, value)| *value) as &[&str],
        &jobs_of_speakers as &[JobId],
        &column(&speakers, |speaker| speaker.id.as_str()) as &[&str],
        &column(&speakers, |speaker| speaker.utterances),
        &column(&speakers, |speaker| speaker.words),
        &column(&speakers, |speaker| speaker.questions),
        &column(&speakers, |speaker| speaker.talk),
        &column(&speakers, |speaker| speaker.talk_share) as &[Option<f64>],
        &column(&speakers, |speaker| speaker.longest_monologue),
        &column(&speakers, |speaker| speaker.interrupts),
        &column(&speakers, |speaker| speaker.interrupted),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}
