//! `aftercall retention`: deletes what is older than it is kept, as the service does every hour, or says what that
//! would be.
use std::fmt::Write as _;

use anyhow::Context as _;
use bytesize::ByteSize;
use serde_json::json;
use sqlx::PgPool;

use super::{database, output};
use crate::{
    app,
    config::{RetentionSettings, Settings, shown_age},
    jobs::Announcer,
    metrics::Metrics,
    retention::{Applied, Kind, MediaSweep, Plan, Retention},
    telemetry,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Delete nothing; print what would be deleted now.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(settings: Settings, args: Args) -> anyhow::Result<()> {
    // Standard output may be JSON, and a slow statement is expected here.
    telemetry::init(settings.log.format, "warn,sqlx=error")?;
    let store = app::media_store(&settings)?;
    let orphans_after = settings.media.orphans_after;
    let work = async |db: &PgPool| {
        let retention = Retention {
            db: db.clone(),
            settings: settings.retention.clone(),
            media: store.clone().map(|store| MediaSweep { store, orphans_after }),
            announcer: Announcer::default(),
            metrics: Metrics::default(),
        };
        let text = if args.dry_run {
            let plan = retention.plan().await.context("cannot count what is due")?;
            if args.json { pretty(&json!(plan))? } else { planned(&plan, &settings.retention)? }
        } else {
            let applied = retention.apply().await.context("a retention rule failed")?;
            if args.json { pretty(&as_json(&applied))? } else { done(&applied)? }
        };
        output::print(&text)
    };
    database::with(&settings, work).await
}

fn pretty(value: &serde_json::Value) -> serde_json::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

fn as_json(applied: &Applied) -> serde_json::Value {
    json!({
        "rows": applied.rows,
        "partitionsDropped": applied.partitions_dropped,
        "partitionsMade": applied.partitions_made,
        "isCutShort": applied.is_cut_short,
    })
}

fn planned(plan: &Plan, settings: &RetentionSettings) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for kind in Kind::ALL {
        let age = kind.age(settings).map_or_else(|| "off".to_owned(), shown_age);
        writeln!(text, "retention.{:11} {age}", kind.name())?;
    }
    for (table, rows) in &plan.rows {
        writeln!(text, "would delete {rows:>10} rows of {table}")?;
    }
    for partition in &plan.partitions {
        let size = ByteSize::b(partition.bytes.unsigned_abs()).display().iec();
        writeln!(text, "would drop {} ({size})", partition.name)?;
    }
    if plan.rows.is_empty() && plan.partitions.is_empty() {
        writeln!(text, "nothing is due")?;
    }
    Ok(text)
}

fn done(applied: &Applied) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for (table, rows) in &applied.rows {
        writeln!(text, "deleted {rows:>10} rows of {table}")?;
    }
    writeln!(text, "dropped {} partitions", applied.partitions_dropped)?;
    if applied.is_cut_short {
        writeln!(
            text,
            "something is left: a table was in use, or a service is at it; run this again"
        )?;
    }
    Ok(text)
}
