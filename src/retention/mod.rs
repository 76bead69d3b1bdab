//! Retention, once an hour: creates partitions ahead of time and deletes what is older than it is kept. One file per
//! rule; [`Retention::apply`] calls each of them. See docs/data-retention.md.
mod contents;
mod deliveries;
mod endpoints;
mod idempotency_keys;
mod jobs;
mod kind;
mod media;
mod notifications;
mod overdue;
mod partitions;
mod plan;
mod results;
mod run;
mod storage;
mod timeline;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    config::RetentionSettings,
    db,
    jobs::Announcer,
    metrics::{Metrics, Task},
    supervise::TaskResult,
};

pub use kind::{KEPT, Kind};
pub use media::MediaSweep;
pub use plan::{Plan, PlannedDrop};
pub use run::Applied;
pub use storage::{StoredMonth, months, router};

use run::Run;

const INTERVAL: Duration = Duration::from_hours(1);
/// When the next run follows one that left something due.
const SOON: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub struct Retention {
    pub db: PgPool,
    pub settings: RetentionSettings,
    /// The store of uploaded recordings, if one is configured.
    pub media: Option<MediaSweep>,
    /// Has this process forget the results that are deleted.
    pub announcer: Announcer,
    pub metrics: Metrics,
}

impl Retention {
    /// Applies all rules every hour until `stop` is canceled; several processes may run it. What is in progress then is
    /// rolled back.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        self.metrics.starts(Task::Retention);
        let tables = Kind::ALL.into_iter().flat_map(Kind::tables);
        for table in tables.chain(&["idempotency_keys"]) {
            self.metrics.rows_deleted(table, 0);
        }
        let rounds = async {
            loop {
                let is_cut_short = match self.apply().await {
                    Ok(applied) => {
                        self.metrics.succeeded(Task::Retention);
                        applied.is_cut_short
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "a retention rule failed");
                        false
                    }
                };
                sleep(if is_cut_short { SOON } else { INTERVAL }).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            never = rounds => never,
        }
    }

    /// Applies every rule, even if others fail.
    ///
    /// # Errors
    /// The error of the first rule that failed.
    pub async fn apply(&self) -> sqlx::Result<Applied> {
        let Self { db, settings, metrics, .. } = self;
        let announcer = self.announcer.quiet();
        let mut run = Run { db, announcer, metrics, applied: Applied::default() };
        let partitions_made = partitions::apply(db, settings).await;
        let keys_deleted = idempotency_keys::apply(db).await;
        let endpoints_tidied = endpoints::apply(db).await;
        let aged = [
            run.finish_dropping().await,
            // First, so that less is left for the others.
            self.apply_kind(&mut run, Kind::Jobs).await,
            self.apply_kind(&mut run, Kind::Results).await,
            self.apply_kind(&mut run, Kind::Deliveries).await,
            self.apply_kind(&mut run, Kind::Timeline).await,
            self.apply_kind(&mut run, Kind::Contents).await,
            self.apply_kind(&mut run, Kind::Media).await,
            self.apply_kind(&mut run, Kind::Notifications).await,
            self.sweep(&mut run).await,
        ];
        let forgotten = match run.applied.partitions_dropped {
            0 => Ok(()),
            _ => results::forget_texts(&mut run).await,
        };
        let (partitions_made, keys_deleted) = (partitions_made?, keys_deleted?);
        aged.into_iter().chain([forgotten, endpoints_tidied]).collect::<sqlx::Result<()>>()?;
        run.applied.partitions_made = partitions_made;
        run.count([("idempotency_keys", keys_deleted)]);
        let Applied { partitions_dropped, is_cut_short, rows, .. } = &run.applied;
        if partitions_made > 0 || *partitions_dropped > 0 || !rows.is_empty() || *is_cut_short {
            let rows_deleted: u64 = rows.values().sum();
            tracing::info!(
                partitions_made,
                partitions_dropped,
                rows_deleted,
                is_cut_short,
                "retention rules applied"
            );
        }
        Ok(run.applied)
    }

    async fn apply_kind(&self, run: &mut Run<'_>, kind: Kind) -> sqlx::Result<()> {
        let Some(cutoff) = self.cutoff(kind).await? else { return Ok(()) };
        match kind {
            Kind::Deliveries => run.apply(&deliveries::Deliveries { cutoff }).await,
            Kind::Results => {
                let timeline_cutoff = self.cutoff(Kind::Timeline).await?;
                run.apply(&results::Results { cutoff, timeline_cutoff }).await
            }
            Kind::Timeline => run.apply(&timeline::Timeline { cutoff }).await,
            Kind::Contents => contents::apply(run, cutoff).await,
            Kind::Media => media::apply(run, cutoff).await,
            Kind::Notifications => notifications::apply(run, cutoff).await,
            Kind::Jobs => run.apply(&jobs::Jobs { cutoff }).await,
        }
    }

    /// Deletes what was marked as removed, and what interrupted uploads left behind.
    async fn sweep(&self, run: &mut Run<'_>) -> sqlx::Result<()> {
        match &self.media {
            Some(sweep) => sweep.apply(run).await,
            None => Ok(()),
        }
    }

    /// Jobs that ended before are due; `None` if the setting is off.
    async fn cutoff(&self, kind: Kind) -> sqlx::Result<Option<DateTime<Utc>>> {
        match kind.set_age(&self.settings) {
            Some(age) => Ok(Some(db::ago(&self.db, age).await?)),
            None => Ok(None),
        }
    }

    /// What the next run would delete.
    pub async fn plan(&self) -> sqlx::Result<Plan> {
        let mut db = self.db.acquire().await?;
        plan::plan(&mut db, &self.settings).await
    }

    /// For each kind, for how many seconds its oldest row has been due.
    pub async fn overdue(&self) -> sqlx::Result<Vec<(Kind, f64)>> {
        overdue::overdue(&self.db, &self.settings).await
    }
}
