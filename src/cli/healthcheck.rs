//! `aftercall healthcheck`: for images without curl. Exits with 0 when the service is ready.
use std::net::Ipv4Addr;

use url::Url;

use crate::{app, config::Settings};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// URL to check instead of the local service.
    #[arg(long)]
    url: Option<Url>,
}

/// `settings` are loaded only when no URL is given: to check another service, none need to be
/// configured here.
pub async fn run(
    args: Args,
    settings: impl FnOnce() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    let url = match args.url {
        Some(url) => url,
        None => ready_url(&settings()?)?,
    };
    app::probe(url).await
}

fn ready_url(settings: &Settings) -> anyhow::Result<Url> {
    let mut address = settings.ops.listen;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Ok(Url::parse(&format!("http://{address}/readyz"))?)
}
