//! `aftercall config print`: the settings in force, and where each came from.
use clap::Subcommand;

use crate::config::Loaded;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every setting with its value and source; secrets are not shown.
    Print,
}

#[expect(clippy::print_stdout, reason = "the settings are this command's output")]
pub fn run(loaded: &Loaded, command: &Command) {
    let Command::Print = command;
    let width = |text: fn(&(&String, &crate::config::Origin)) -> usize| {
        loaded.origins.iter().map(|pair| text(&pair)).max().unwrap_or_default()
    };
    let (keys, values) = (width(|(key, _)| key.len()), width(|(_, origin)| origin.value.len()));
    println!("# AFTERCALL_ENV={}", loaded.environment);
    for (key, origin) in &loaded.origins {
        println!("{key:keys$}  {:values$}  {}", origin.value, origin.source);
    }
}
