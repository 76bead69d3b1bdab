//! `aftercall reparse`: recomputes results of earlier parsers from the stored bytes.
use sqlx::PgPool;

use super::{database, output, time_arg::TimeArg};
use crate::{
    admin::reparse::{self, ReparseSummary},
    app,
    config::Settings,
    insights::Outdated,
    jobs::JobId,
    provider::PARSER_VERSION,
    telemetry,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Results stored at or after this time (2026-05-01T00:00:00Z) or age (7d).
    #[arg(long, value_name = "WHEN", required_unless_present = "job")]
    since: Option<TimeArg>,
    /// Results stored before this time or age.
    #[arg(long, value_name = "WHEN")]
    until: Option<TimeArg>,
    /// The result of this job.
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    /// Only count the matching results.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(settings: Settings, args: Args) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, "warn")?;
    let work = async |db: &PgPool| {
        let which = Outdated {
            below: PARSER_VERSION,
            since: TimeArg::resolve(args.since, db).await?,
            until: TimeArg::resolve(args.until, db).await?,
            job_id: args.job,
        };
        if args.dry_run {
            let matched = reparse::count(db, &which).await?;
            return output::print(&format!("matched {matched}\n"));
        }
        let seal = app::open_seal(&settings, db).await?;
        let limits = settings.text_limits();
        let ReparseSummary { reparsed, unreadable, without_delivery, failed } =
            reparse::run(db, &seal, &which, limits).await?;
        output::print(&format!("reparsed {reparsed}\nunreadable {unreadable}\n"))?;
        if without_delivery > 0 {
            output::print(&format!(
                "without_delivery {without_delivery} (deleted by retention.deliveries)\n"
            ))?;
        }
        if let Some(job) =
            args.job.filter(|_| reparsed + unreadable + without_delivery + failed == 0)
        {
            eprintln!(
                "job {job} has no result of an earlier parser: it is current, or has expired"
            );
        }
        anyhow::ensure!(failed == 0, "{failed} could not be stored; see the log above");
        Ok(())
    };
    database::with(&settings, work).await
}
