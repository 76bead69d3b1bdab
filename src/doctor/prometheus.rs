//! Whether Prometheus scrapes the service.
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::{Finding, chain};
use crate::config;

const CHECK: &str = "prometheus";
const TIMEOUT: Duration = Duration::from_secs(5);
/// The name of the job in `config/prometheus/prometheus.yml`.
const QUERY: &str = r#"up{job="aftercall"}"#;

pub async fn reach(url: &Url) -> Finding {
    let targets = match targets(url).await {
        Ok(targets) => targets,
        Err(error) => {
            let detail = format!("not reached: {}", chain(&error.without_url()));
            return Finding::fail(
                CHECK,
                detail,
                "check ops.prometheus_url, and that Prometheus runs",
            );
        }
    };
    let up = targets.iter().filter(|is_up| **is_up).count();
    let detail = format!("reached; {up} of {} targets are up", targets.len());
    if targets.is_empty() {
        let advice = "add a scrape job named aftercall: config/prometheus/prometheus.yml";
        Finding::warn(CHECK, "reached, but it has no target of the job aftercall", advice)
    } else if up < targets.len() {
        let advice = "let Prometheus reach ops.listen of every process";
        Finding::warn(CHECK, detail, advice)
    } else {
        Finding::ok(CHECK, detail)
    }
}

/// For each process of Aftercall, whether it was scraped.
async fn targets(url: &Url) -> reqwest::Result<Vec<bool>> {
    let builder = reqwest::Client::builder().timeout(TIMEOUT);
    let builder = if config::is_here(url) { builder.no_proxy() } else { builder };
    let mut query = url.clone();
    query.set_path(&format!("{}/api/v1/query", url.path().trim_end_matches('/')));
    let request = builder.build()?.get(query).query(&[("query", QUERY)]);
    let body: Value = request.send().await?.error_for_status()?.json().await?;
    let found = body["data"]["result"].as_array().into_iter().flatten();
    Ok(found.map(|series| series["value"][1] == "1").collect())
}
