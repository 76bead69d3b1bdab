//! `aftercall healthcheck`: for images without curl. Exit code 0 when the service is ready.
use std::{net::Ipv4Addr, time::Duration};

use anyhow::Context as _;

use crate::config::Settings;

const PATIENCE: Duration = Duration::from_secs(3);

pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut address = settings.ops.listen;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
    let answer = client
        .get(format!("http://{address}/readyz"))
        .send()
        .await
        .with_context(|| format!("nothing answers on {address}"))?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "not ready: {}", answer.text().await.unwrap_or_default());
    Ok(())
}
