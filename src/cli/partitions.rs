//! `aftercall partitions`: what the monthly partitions hold, and when retention drops them.
use std::fmt::Write as _;

use bytesize::ByteSize;
use sqlx::PgPool;

use super::{database, output};
use crate::{
    config::Settings,
    retention::{self, StoredMonth},
    telemetry,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(settings: Settings, args: Args) -> anyhow::Result<()> {
    // Standard output may be JSON, and a slow statement is expected here.
    telemetry::init(settings.log.format, "warn,sqlx=error")?;
    let work = async |db: &PgPool| {
        let lines = retention::months(db, &settings.retention).await?;
        if args.json {
            return output::print(&format!("{}\n", serde_json::to_string_pretty(&lines)?));
        }
        output::print(&table(&lines)?)
    };
    database::with(&settings, work).await
}

fn table(lines: &[StoredMonth]) -> Result<String, std::fmt::Error> {
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
