//! The command line: one file per subcommand.
#[cfg(unix)]
mod pg_exec;
#[cfg(unix)]
mod pg_supervise;

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
    #[cfg(unix)]
    #[command(hide = true)]
    PgExec(pg_exec::Args),
    #[cfg(unix)]
    #[command(hide = true)]
    PgSupervise(pg_supervise::Args),
}

impl Cli {
    /// Runs the command that was asked for.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            #[cfg(unix)]
            Command::PgExec(args) => args.run(),
            #[cfg(unix)]
            Command::PgSupervise(args) => args.run(),
        }
    }
}
