//! `aftercall sandbox`: runs the provider emulator alone.
use std::net::SocketAddr;

use crate::{app, config::Settings, sandbox::Sandbox, supervise::Lifecycle, telemetry};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on instead of `sandbox.listen`; port 0 picks a free port.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

#[expect(clippy::print_stdout, reason = "the address is this command's output")]
pub async fn run(mut settings: Settings, args: Args) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, &settings.log.filter)?;
    settings.sandbox.listen = args.listen.unwrap_or(settings.sandbox.listen);
    let sandbox = Sandbox::bind(&settings.sandbox).await?;
    println!("sandbox: {}", sandbox.base_url().as_str().trim_end_matches('/'));
    println!("recording: {}", sandbox.recording_url());
    println!("credentials: the settings sandbox.client_id, sandbox.client_secret and sandbox.jwt");
    let lifecycle = Lifecycle::default();
    app::drain_on_signal(&lifecycle)?;
    sandbox.run(lifecycle.draining).await
}
