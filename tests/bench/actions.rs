//! Commands for many jobs at once, as the console sends them.
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    load::Run,
    queries::Side,
    report::{Budget, Line},
};

/// Requests of each kind; each is for 500 other jobs.
const REQUESTS: u32 = 20;
const MOST_MS: f64 = 1000.0;

/// Each kind follows the one whose jobs it is for.
pub async fn actions(side: &Side, mut show: impl FnMut(Line)) -> anyhow::Result<()> {
    let names = |n: u32| json!({ "0": format!("Agent {n}"), "1": "Caller" });
    let name =
        |n| json!({ "action": "nameSpeakers", "names": names(n), "filter": { "tag": ["team-1"] } });
    act(side, "name the speakers of 500 jobs", name, &mut show).await?;
    let retry = |_| json!({ "action": "retry", "filter": {} });
    act(side, "retry 500 jobs", retry, &mut show).await?;
    let cancel = |_| json!({ "action": "cancel", "filter": {} });
    act(side, "cancel 500 jobs", cancel, &mut show).await
}

async fn act(
    side: &Side,
    name: &str,
    body: impl Fn(u32) -> Value,
    show: &mut impl FnMut(Line),
) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("http://{}/v1/jobs/actions", side.service.api);
    let mut latencies: Vec<Duration> = Vec::new();
    for n in 0..REQUESTS {
        let request = client.post(&url).bearer_auth(&side.database.key).json(&body(n));
        let started = Instant::now();
        let acted: Value = request.send().await?.error_for_status()?.json().await?;
        latencies.push(started.elapsed());
        anyhow::ensure!(acted["done"] == 500, "{acted}");
    }
    let whole: Duration = latencies.iter().sum();
    let run = Run::of(f64::from(REQUESTS) / whole.as_secs_f64(), latencies);
    let line = Line::figure(name, run.percentile(99), "/s", Budget::AtMost(MOST_MS));
    show(Line {
        measured: run.per_second,
        p50_ms: Some(run.percentile(50)),
        p99_ms: Some(run.percentile(99)),
        ..line
    });
    Ok(())
}
