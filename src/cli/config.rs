//! `aftercall config`: prints the effective settings with their sources, and their schema.
use std::fmt::Write as _;

use clap::Subcommand;

use super::output;
use crate::config::{self, ConfigError, Loaded, SettingOrigin};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print every setting with its value and source; secrets are hidden.
    Print,
    /// Print the JSON schema of configuration files.
    Schema,
}

pub fn run(
    command: &Command,
    load: impl FnOnce() -> Result<Loaded, ConfigError>,
) -> anyhow::Result<()> {
    match command {
        Command::Print => print(&load()?),
        Command::Schema => {
            output::print(&format!("{}\n", serde_json::to_string_pretty(&config::schema()?)?))
        }
    }
}

fn print(loaded: &Loaded) -> anyhow::Result<()> {
    let width = |text: fn(&(&String, &SettingOrigin)) -> usize| {
        loaded.origins.iter().map(|pair| text(&pair)).max().unwrap_or_default()
    };
    let (keys, values) = (width(|(key, _)| key.len()), width(|(_, origin)| origin.value.len()));
    let mut text = format!("# AFTERCALL_ENV={}\n", loaded.environment);
    for (key, origin) in &loaded.origins {
        writeln!(text, "{key:keys$}  {:values$}  {}", origin.value, origin.source)?;
    }
    output::print(&text)
}
