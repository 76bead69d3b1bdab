//! `aftercall sandbox`: the provider emulator by itself.
use std::{io::IsTerminal as _, net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::{config, sandbox::Sandbox};

/// Run the provider emulator alone, to develop and test clients of the provider.
#[derive(Debug, Args)]
pub struct SandboxCommand {
    /// Address to listen on instead of `sandbox.listen`; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// File with settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl SandboxCommand {
    pub fn run(self) -> anyhow::Result<()> {
        let mut settings = config::load(self.config.as_deref())?.settings.sandbox;
        log_to_stderr();
        settings.listen = self.listen.unwrap_or(settings.listen);
        let runtime = tokio::runtime::Runtime::new().context("the async runtime")?;
        runtime.block_on(serve(settings))
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // An error says that somebody else already set up the logs.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

#[expect(clippy::print_stdout, reason = "the address is this command's output")]
async fn serve(settings: config::SandboxSettings) -> anyhow::Result<()> {
    let sandbox = Sandbox::bind(&settings).await?;
    println!("sandbox: {}", sandbox.base_url().as_str().trim_end_matches('/'));
    println!("recording: {}", sandbox.recording_url());
    println!(
        "credentials: sandbox.client_id, sandbox.client_secret and sandbox.jwt of the settings"
    );
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    sandbox.run(stop).await
}
