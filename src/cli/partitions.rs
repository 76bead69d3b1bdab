//! `aftercall partitions`: what the monthly partitions hold, and when retention drops them.
use std::fmt::Write as _;

use bytesize::ByteSize;
use chrono::{DateTime, Months, Utc};
use serde::Serialize;
use sqlx::PgPool;

use super::{database, output};
use crate::{config::Settings, partitions, retention::Kind, telemetry};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A partition as printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    table: String,
    partition: String,
    starts_at: DateTime<Utc>,
    /// Excluded.
    ends_at: DateTime<Utc>,
    bytes: i64,
    /// Null until Postgres has analyzed the partition.
    estimated_rows: Option<i64>,
    /// Earliest time at which all of its rows are due; null if they are kept for ever.
    goes_at: Option<DateTime<Utc>>,
}

pub async fn run(settings: Settings, args: Args) -> anyhow::Result<()> {
    // Standard output may be JSON, and a slow statement is expected here.
    telemetry::init(settings.log.format, "warn,sqlx=error")?;
    let work = async |db: &PgPool| {
        let lines = lines(db, &settings).await?;
        if args.json {
            return output::print(&format!("{}\n", serde_json::to_string_pretty(&lines)?));
        }
        output::print(&table(&lines)?)
    };
    database::with(&settings, work).await
}

async fn lines(db: &PgPool, settings: &Settings) -> sqlx::Result<Vec<Line>> {
    let line = |partition: partitions::Partition| {
        let age =
            Kind::of_table(&partition.parent).and_then(|(kind, _)| kind.age(&settings.retention));
        Line {
            // Last month's partitions always stay.
            goes_at: age.map(|age| {
                let ends_at = partition.ends_at;
                (ends_at + age).max(ends_at + Months::new(1))
            }),
            estimated_rows: Some(partition.estimated_rows).filter(|rows| *rows >= 0),
            table: partition.parent,
            partition: partition.name,
            starts_at: partition.starts_at,
            ends_at: partition.ends_at,
            bytes: partition.bytes,
        }
    };
    Ok(partitions::list(db).await?.into_iter().map(line).collect())
}

fn table(lines: &[Line]) -> Result<String, std::fmt::Error> {
    let mut text =
        format!("{:33}  {:7}  {:>10}  {:>10}  {}\n", "PARTITION", "MONTH", "ROWS", "SIZE", "GOES");
    for line in lines {
        let rows = line.estimated_rows.map_or_else(|| "-".to_owned(), |rows| format!("~{rows}"));
        let size = ByteSize::b(line.bytes.unsigned_abs()).display().iec().to_string();
        let goes =
            line.goes_at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d").to_string());
        let month = line.starts_at.format("%Y-%m");
        writeln!(text, "{:33}  {month:7}  {rows:>10}  {size:>10}  {goes}", line.partition)?;
    }
    Ok(text)
}
