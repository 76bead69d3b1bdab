//! Hidden: runs the Postgres that the tests share, until they no longer need it.
use std::path::PathBuf;

use crate::{config::EmbeddedEnvironment, embedded};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the tests and this process meet.
    folder: PathBuf,
}

impl Args {
    pub fn run(self) -> anyhow::Result<()> {
        // Leaves the session of the test that happened to come first; fails only if it did before.
        let _ = nix::unistd::setsid();
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(embedded::run_shared(&self.folder, EmbeddedEnvironment::read()))
    }
}
