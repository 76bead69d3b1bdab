//! Hidden: runs the shared Postgres of the tests while they use it.
use std::path::PathBuf;

use crate::{config::EmbeddedEnvironment, embedded};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder shared by the tests and this process.
    folder: PathBuf,
}

impl Args {
    pub fn run(self) -> anyhow::Result<()> {
        // Leaves the session of the test that started it; fails only if it already has.
        let _ = nix::unistd::setsid();
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(embedded::run_shared(&self.folder, EmbeddedEnvironment::read()))
    }
}
