//! Counts jobs that reached a final state, with where their time went.
use sqlx::types::Json;

use super::{Change, Channel, ErrorClass, JobError, JobId, State};
use crate::metrics::{FinishedJob, Spent};

const NONE: &str = "none";

/// A job as it is counted.
pub fn finished(
    state: State,
    error: Option<ErrorClass>,
    via: Option<Channel>,
    spent: Option<Spent>,
) -> FinishedJob {
    FinishedJob {
        status: state.name(),
        error_class: error.map_or(NONE, ErrorClass::name),
        completed_via: via.map_or(NONE, Channel::name),
        spent,
    }
}

/// Counts those of these jobs that this transaction has ended.
pub async fn count_finished(tx: &mut Change<'_>, ids: &[JobId]) -> sqlx::Result<()> {
    if ids.is_empty() || !tx.metrics().is_on() {
        return Ok(());
    }
    let rows = sqlx::query!(
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
    let jobs = rows.into_iter().map(|row| {
        let spent = Spent {
            queued: row.queued,
            submitting: row.submitting,
            upstream: row.upstream,
            callback_commit: row.callback_commit,
            total: row.total,
        };
        finished(row.state, row.error.map(|error| error.0.class), row.via, Some(spent))
    });
    tx.tally().finished(jobs);
    Ok(())
}
