//! Checks the health of one of our own addresses.
use std::time::Duration;

use anyhow::Context as _;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(3);

/// # Errors
/// When there is no response within seconds, or it is not a success.
pub async fn probe(url: Url) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
    let answer = client
        .get(url.clone())
        .send()
        .await
        .map_err(reqwest::Error::without_url)
        .with_context(|| format!("no response from {url}"))?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    anyhow::ensure!(status.is_success(), "not ready: {status} {body}");
    Ok(())
}
