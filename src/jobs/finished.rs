//! Counts jobs that reached a final state, with where their time went.
use sqlx::types::Json;

use super::{Change, Channel, JobError, JobId, State};
use crate::metrics::{FinishedJob, Spent};

const NONE: &str = "none";

/// A job with where its time went, in seconds.
pub struct Ended {
    pub state: State,
    pub error: Option<Json<JobError>>,
    pub via: Option<Channel>,
    pub queued: f64,
    pub submitting: f64,
    pub upstream: f64,
    pub callback_commit: f64,
    pub total: f64,
}

impl Ended {
    /// As it is counted.
    pub fn counted(self) -> FinishedJob {
        let Self { queued, submitting, upstream, callback_commit, total, .. } = self;
        let spent = Spent { queued, submitting, upstream, callback_commit, total };
        FinishedJob {
            status: self.state.name(),
            error_class: self.error.map_or(NONE, |error| error.0.class.name()),
            completed_via: self.via.map_or(NONE, Channel::name),
            spent: Some(spent),
        }
    }
}

/// Counts those of these jobs that this transaction has ended.
pub async fn count_finished(tx: &mut Change<'_>, ids: &[JobId]) -> sqlx::Result<()> {
    if ids.is_empty() || !tx.metrics().is_on() {
        return Ok(());
    }
    let ended = sqlx::query_as!(
        Ended,
        r#"
        select j.state as "state: State", j.error as "error: Json<JobError>",
            j.completed_via as "via: Channel", spent.queued::float8 as "queued!",
            spent.submitting::float8 as "submitting!", spent.upstream::float8 as "upstream!",
            spent.callback_commit::float8 as "callback_commit!", spent.total::float8 as "total!"
        from aftercall.jobs j
        cross join lateral
            aftercall.blame(j.id, j.created_at, j.finished_at, j.result_received_at) spent
        where j.id = any($1) and j.finished_at is not null
        "#,
        ids as &[JobId],
    )
    .fetch_all(&mut ***tx)
    .await?;
    tx.tally().finished(ended.into_iter().map(Ended::counted));
    Ok(())
}
