//! `aftercall config print`: the settings in force, and where each came from.
use std::fmt::Write as _;

use clap::Subcommand;

use super::output;
use crate::config::{Loaded, Origin};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every setting with its value and source; secrets are not shown.
    Print,
}

pub fn run(loaded: &Loaded, command: &Command) -> anyhow::Result<()> {
    let Command::Print = command;
    let width = |text: fn(&(&String, &Origin)) -> usize| {
        loaded.origins.iter().map(|pair| text(&pair)).max().unwrap_or_default()
    };
    let (keys, values) = (width(|(key, _)| key.len()), width(|(_, origin)| origin.value.len()));
    let mut text = format!("# AFTERCALL_ENV={}\n", loaded.environment);
    for (key, origin) in &loaded.origins {
        writeln!(text, "{key:keys$}  {:values$}  {}", origin.value, origin.source)?;
    }
    output::print(&text)
}
