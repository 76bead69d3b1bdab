//! `aftercall replay`: replays stored deliveries with the current parser.
use std::collections::BTreeMap;

use clap::ArgGroup;
use sqlx::PgPool;
use uuid::Uuid;

use super::{database, output, time_arg::TimeArg};
use crate::{
    admin::replay::Replayer,
    app,
    config::Settings,
    deliveries::{DeliveryFilter, Outcome},
    http::Limit,
    jobs::{Announcer, JobId},
    telemetry,
};

/// Deliveries per page; each page takes several transactions.
const PAGE: Limit = Limit::MAX;

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct Args {
    /// The delivery with this id.
    #[arg(group = "which")]
    id: Option<Uuid>,
    /// Deliveries with this outcome; may be repeated.
    #[arg(long = "outcome", value_name = "OUTCOME", group = "which")]
    outcomes: Vec<Outcome>,
    /// Deliveries of this job.
    #[arg(long, value_name = "ID", group = "which")]
    job: Option<JobId>,
    /// Deliveries received at or after this time (2026-05-01T00:00:00Z) or age (7d).
    #[arg(long, value_name = "WHEN", group = "which")]
    received_after: Option<TimeArg>,
    /// Deliveries received before this time or age.
    #[arg(long, value_name = "WHEN", group = "which")]
    received_before: Option<TimeArg>,
    /// Quarantined deliveries: malformed or mismatched, and not resolved by a replay.
    #[arg(long, group = "which")]
    quarantined: bool,
    /// Accept deliveries even if they name a different provider job.
    #[arg(long)]
    accept_mismatch: bool,
    /// Only count the matching deliveries.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(settings: Settings, args: Args) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, "warn")?;
    let limits = settings.text_limits();
    let work = async |db: &PgPool| {
        // Feeds in this process have no waiters; those of other processes poll.
        let announcer = &Announcer::default();
        let accept_mismatch = args.accept_mismatch;
        let seal = &app::open_seal(&settings, db).await?;
        let by = "the command line";
        let replayer = Replayer { db, announcer, seal, limits, accept_mismatch, by };
        let filter = DeliveryFilter {
            id: args.id,
            outcomes: args.outcomes,
            job_id: args.job,
            received_after: TimeArg::resolve(args.received_after, db).await?,
            received_before: TimeArg::resolve(args.received_before, db).await?,
            quarantined: args.quarantined.then_some(true),
            originals: true,
        };
        let matched = replayer.matched(&filter).await?;
        anyhow::ensure!(matched > 0, "no delivery matches");
        if args.dry_run {
            return output::print(&format!("matched {matched}\n"));
        }
        replay(&replayer, &filter).await
    };
    database::with(&settings, work).await
}

async fn replay(replayer: &Replayer<'_>, filter: &DeliveryFilter) -> anyhow::Result<()> {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut failed, mut before) = (0, None);
    loop {
        let summary = replayer.page(filter, before, PAGE).await?;
        for (outcome, count) in summary.outcomes {
            *outcomes.entry(outcome).or_default() += count;
        }
        failed += summary.failed;
        before = summary.next;
        if before.is_none() {
            break;
        }
    }
    for (outcome, count) in outcomes {
        output::print(&format!("{outcome} {count}\n"))?;
    }
    anyhow::ensure!(failed == 0, "{failed} could not be stored; see the log above");
    Ok(())
}
