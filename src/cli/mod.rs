//! The command line: one file per subcommand.
mod sandbox;

use clap::{Parser, Subcommand};

/// Turns recordings into durable, searchable insights.
#[derive(Debug, Parser)]
#[command(name = "aftercall", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sandbox(sandbox::SandboxCommand),
}

impl Cli {
    /// Runs the command that was asked for.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Sandbox(command) => command.run(),
        }
    }
}
