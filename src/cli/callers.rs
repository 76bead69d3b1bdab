//! `aftercall callers`: weights and quotas.
use std::{fmt::Write as _, ops::RangeInclusive};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use sqlx::PgPool;

use super::{database, output};
use crate::{
    callers::{self, CallerRow, LimitsChange, QUOTAS, WEIGHTS},
    config::Settings,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List callers with their weights, their quotas and what is used of them.
    List,
    /// Change the limits of a caller; running services apply them to the next submission.
    Set(SetArgs),
}

#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// The caller, as in `aftercall callers list`.
    name: String,
    /// Callers with queued jobs are served in proportion to their weights, 1 to 1000.
    #[arg(long)]
    weight: Option<String>,
    /// Submissions to the provider allowed per day (UTC), or `none`.
    #[arg(long, value_name = "NUMBER")]
    daily: Option<String>,
    /// Submissions to the provider allowed per month (UTC), or `none`.
    #[arg(long, value_name = "NUMBER")]
    monthly: Option<String>,
}

pub async fn run(settings: Settings, command: Command) -> anyhow::Result<()> {
    let command = match command {
        Command::List => None,
        Command::Set(args) => Some((args.change()?, args.name)),
    };
    database::with(&settings, async |db| carry_out(db, command).await).await
}

async fn carry_out(db: &PgPool, set: Option<(LimitsChange, String)>) -> anyhow::Result<()> {
    let rows = match set {
        None => callers::all(db, None, None).await?,
        Some((change, name)) => {
            anyhow::ensure!(
                callers::set_limits(db, &name, &change).await?,
                "there is no caller {name:?}; see `aftercall callers list`"
            );
            callers::find(db, &name).await?.into_iter().collect()
        }
    };
    output::print(&table(&rows)?)
}

impl SetArgs {
    /// # Errors
    /// All faults at once.
    fn change(&self) -> anyhow::Result<LimitsChange> {
        let mut faults = Vec::new();
        let quota = |flag, text: &Option<String>, faults: &mut Vec<String>| {
            let text = text.as_deref()?;
            Some(if text == "none" {
                None
            } else {
                whole(flag, text, &QUOTAS, ", or none", faults)
            })
        };
        let change = LimitsChange {
            weight: self
                .weight
                .as_deref()
                .and_then(|text| whole("--weight", text, &WEIGHTS, "", &mut faults)),
            daily_quota: quota("--daily", &self.daily, &mut faults),
            monthly_quota: quota("--monthly", &self.monthly, &mut faults),
        };
        anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
        anyhow::ensure!(
            change != LimitsChange::default(),
            "nothing to change: give --weight, --daily or --monthly"
        );
        Ok(change)
    }
}

fn whole(
    flag: &str,
    text: &str,
    range: &RangeInclusive<i64>,
    or: &str,
    faults: &mut Vec<String>,
) -> Option<i64> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    if number.is_none() {
        let (least, most) = (range.start(), range.end());
        let is = format!("{flag} must be a whole number from {least} to {most}{or}, not {text:?}");
        faults.push(is);
    }
    number
}

fn table(rows: &[CallerRow]) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "{:20}  {:>6}  {:>21}  {:16}  {:>21}  {:10}  {}\n",
        "CALLER", "WEIGHT", "TODAY", "RESETS", "THIS MONTH", "RESETS", "LAST SUBMITTED"
    );
    for row in rows {
        let used = |used: i64, quota: Option<i64>| match quota {
            Some(quota) => format!("{used} of {quota}"),
            None => format!("{used}, no quota"),
        };
        let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
        writeln!(
            text,
            "{:20}  {:>6}  {:>21}  {:16}  {:>21}  {:10}  {}",
            row.name,
            row.weight,
            used(row.daily_used, row.daily_quota),
            time(row.daily_resets_at),
            used(row.monthly_used, row.monthly_quota),
            row.monthly_resets_at.format("%Y-%m-%d").to_string(),
            row.last_served_at.map_or_else(|| "-".to_owned(), time),
        )?;
    }
    Ok(text)
}
