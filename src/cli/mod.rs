//! The command line: one file per subcommand.
mod callers;
mod client;
mod config;
mod database;
mod demo;
mod doctor;
mod healthcheck;
mod keys;
mod migrate;
mod openapi;
mod output;
mod partitions;
#[cfg(unix)]
mod pg_exec;
#[cfg(unix)]
mod pg_supervise;
mod reparse;
mod replay;
mod report;
mod retention;
mod sandbox;
mod seal;
mod serve;
mod status;
mod submit;
mod time_arg;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Turns recordings into durable, searchable insights.
#[derive(Debug, Parser)]
#[command(name = "aftercall", version)]
pub struct Cli {
    /// Configuration file; overrides the defaults, and is overridden by environment variables.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve,
    /// Run everything in one process, analyze a bundled recording, and print the insights.
    Demo(demo::Args),
    /// Submit a recording to a running service, wait, and print the insights.
    Submit(submit::Args),
    /// Run only the provider emulator, for developing and testing clients of the provider.
    Sandbox(sandbox::Args),
    /// Create the database roles and apply the migrations.
    Migrate(migrate::Args),
    /// Create, list, roll and revoke API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// List callers, and set their weights and quotas.
    #[command(subcommand)]
    Callers(callers::Command),
    /// Make and rotate the keys that seal stored secrets.
    #[command(subcommand)]
    Seal(seal::Command),
    /// Parse and apply stored deliveries again, as if they had arrived now.
    Replay(replay::Args),
    /// Recreate results of earlier parser versions from the stored deliveries.
    Reparse(reparse::Args),
    /// List the monthly partitions: how large they are, and when retention drops them.
    Partitions(partitions::Args),
    /// Delete what is older than the settings say, as the service does every hour.
    Retention(retention::Args),
    /// Print the settings or their schema.
    #[command(subcommand)]
    Config(config::Command),
    /// Print the state of the service: what waits, for how long, and what needs attention.
    Status(status::Args),
    /// Check everything that the service needs, and say what to do about what is wrong.
    Doctor(doctor::Args),
    /// Check whether the service is ready; for container health checks.
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
    /// Runs the selected command.
    pub fn run(self) -> anyhow::Result<()> {
        let loaded = || crate::config::load(self.config.as_deref());
        match self.command {
            Command::Serve => {
                let file = self.config.clone();
                block_on(serve::run(Box::new(move || crate::config::load(file.as_deref()))))
            }
            Command::Demo(args) => {
                let loaded = crate::config::load_demo(self.config.as_deref())?;
                block_on(demo::run(loaded.settings, args))
            }
            Command::Submit(args) => block_on(submit::run(args)),
            Command::Sandbox(args) => block_on(sandbox::run(loaded()?.settings, args)),
            Command::Migrate(args) => block_on(migrate::run(args, || Ok(loaded()?.settings))),
            Command::Keys(command) => block_on(keys::run(loaded()?.settings, command)),
            Command::Callers(command) => block_on(callers::run(loaded()?.settings, command)),
            Command::Seal(command) => block_on(seal::run(command, || Ok(loaded()?.settings))),
            Command::Replay(args) => block_on(replay::run(loaded()?.settings, args)),
            Command::Reparse(args) => block_on(reparse::run(loaded()?.settings, args)),
            Command::Partitions(args) => block_on(partitions::run(loaded()?.settings, args)),
            Command::Retention(args) => block_on(retention::run(loaded()?.settings, args)),
            Command::Config(command) => config::run(&command, loaded),
            Command::Status(args) => block_on(status::run(loaded()?.settings, args)),
            Command::Doctor(args) => block_on(doctor::run(loaded, self.config.as_deref(), args)),
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

/// How long blocking threads may run after the command has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WAIT);
    ended
}
