//! The command line: one file per subcommand.
mod client;
mod config;
mod database;
mod demo;
mod healthcheck;
mod keys;
mod migrate;
mod openapi;
mod output;
#[cfg(unix)]
mod pg_exec;
#[cfg(unix)]
mod pg_supervise;
mod reparse;
mod replay;
mod report;
mod sandbox;
mod serve;
mod submit;
mod time_arg;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Turns recordings into durable, searchable insights.
#[derive(Debug, Parser)]
#[command(name = "aftercall", version)]
pub struct Cli {
    /// A file of settings, on top of the defaults and below the variables.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve,
    /// Run everything in one process, send a recording through it, and show what was found.
    Demo(demo::Args),
    /// Send a recording to a running service, wait, and show what was found.
    Submit(submit::Args),
    /// Run the provider emulator alone, to develop and test clients of the provider.
    Sandbox(sandbox::Args),
    /// Bring the database up to date.
    Migrate,
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Read stored deliveries again, as if they came now.
    Replay(replay::Args),
    /// Make results of earlier parsers anew from the bytes they came from.
    Reparse(reparse::Args),
    /// Show the settings and their schema.
    #[command(subcommand)]
    Config(config::Command),
    /// Ask the service on this machine whether it is ready; for container health checks.
    Healthcheck(healthcheck::Args),
    /// Print the OpenAPI document.
    Openapi,
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
        let loaded = || crate::config::load(self.config.as_deref());
        match self.command {
            Command::Serve => block_on(serve::run(loaded()?.settings)),
            Command::Demo(args) => {
                let loaded = crate::config::load_demo(self.config.as_deref())?;
                block_on(demo::run(loaded.settings, args))
            }
            Command::Submit(args) => block_on(submit::run(args)),
            Command::Sandbox(args) => block_on(sandbox::run(loaded()?.settings, args)),
            Command::Migrate => block_on(migrate::run(loaded()?.settings)),
            Command::Keys(command) => block_on(keys::run(loaded()?.settings, command)),
            Command::Replay(args) => block_on(replay::run(loaded()?.settings, args)),
            Command::Reparse(args) => block_on(reparse::run(loaded()?.settings, args)),
            Command::Config(command) => config::run(&command, loaded),
            Command::Healthcheck(args) => {
                block_on(healthcheck::run(args, || Ok(loaded()?.settings)))
            }
            Command::Openapi => openapi::run(),
            #[cfg(unix)]
            Command::PgExec(args) => args.run(),
            #[cfg(unix)]
            Command::PgSupervise(args) => args.run(),
        }
    }
}

/// How long what runs on threads of its own may go on once the command has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WAIT);
    ended
}
