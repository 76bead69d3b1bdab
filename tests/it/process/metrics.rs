//! The metrics of a real process that runs real jobs.
use std::collections::BTreeSet;

use aftercall::metrics::{CONTENT_TYPE, Metrics};
use reqwest::Method;
use serde_json::json;

use super::{Home, Service};
use crate::support::{db::TestDb, eventually, exposition::Exposition};

/// Families without a series here: no job is in progress at the end, no self-test has run, and there is no read replica.
const MAY_BE_ABSENT: [&str; 7] = [
    "aftercall_db_reads_total",
    "aftercall_db_replica_lag_bytes",
    "aftercall_db_replica_lag_seconds",
    "aftercall_db_replica_usable",
    "aftercall_next_deadline_seconds",
    "aftercall_public_hook_seconds",
    "aftercall_public_hook_up",
];

/// What encoding appends to the name of a family.
const SUFFIXES: [&str; 3] = ["", "_total", "_info"];

async fn scraped(service: &Service) -> Exposition {
    let response = service.http.get(format!("{}/metrics", service.ops)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], CONTENT_TYPE);
    Exposition::of(response.text().await.unwrap())
}

/// Jobs that end in every way, and requests that are rejected.
async fn run(service: &Service) {
    let mut ids = Vec::new();
    for fault in ["", "fail", "lost", "duplicate", "malformed"] {
        let uri = format!("{}?sandbox-faults={fault}", service.recording);
        ids.push(service.submit(json!({ "contentUri": uri })).await);
    }
    for id in &ids {
        service.finished(id).await;
    }
    service.send(Method::GET, &format!("/v1/jobs/{}/result", ids[0]), None).await;
    let nowhere = format!("{}/webhooks/{}", service.webhook, "x".repeat(64));
    service.http.post(nowhere).body("{}").send().await.unwrap();
    service.send(Method::GET, "/v1/nothing", None).await;
    service.status(&format!("{}/livez", service.ops)).await;
}

#[tokio::test]
async fn every_metric_is_there_after_real_jobs_with_its_labels() {
    let db = TestDb::new().await;
    let home = Home::on(&db)
        .set("AFTERCALL__RECONCILE__AFTER", "1s")
        .set("AFTERCALL__RECONCILE__INTERVAL", "100ms");
    let service = Service::start(&home).await;
    run(&service).await;
    let seen = eventually("a sample and its effects", async || {
        let seen = scraped(&service).await;
        let is_sampled = seen.get("aftercall_samples_timestamp_seconds", &[]).is_some();
        let has_polled = seen.get("aftercall_reconcile_recovered_total", &[]) > Some(0.0);
        let has_probed = seen.get("aftercall_db_pool_acquire_seconds_count", &[]) > Some(0.0);
        (is_sampled && has_polled && has_probed).then_some(seen)
    })
    .await;
    for described in Metrics::new().reference() {
        let name = described.name;
        let base = SUFFIXES[1..].iter().find_map(|suffix| name.strip_suffix(suffix));
        let kind = seen.types.get(base.unwrap_or(name));
        if kind.is_none() && MAY_BE_ABSENT.contains(&name) {
            continue;
        }
        assert_eq!(kind.map(String::as_str), Some(described.kind), "{name}");
        let series =
            if described.kind == "histogram" { format!("{name}_count") } else { name.into() };
        let mut found = seen.all(&series).peekable();
        assert!(found.peek().is_some() || MAY_BE_ABSENT.contains(&name), "{name} has no series");
        for series in found {
            let labels: BTreeSet<&str> = series.labels.keys().map(String::as_str).collect();
            assert_eq!(labels, described.labels.iter().copied().collect(), "{name}");
        }
    }
    for family in seen.types.keys() {
        let is_listed =
            |name: &str| name.strip_prefix(family).is_some_and(|it| SUFFIXES.contains(&it));
        assert!(Metrics::new().reference().iter().any(|it| is_listed(it.name)), "{family}");
    }

    assert_eq!(seen.get("aftercall_jobs_created_total", &[("caller", "tester")]), Some(5.0));
    let finished = "aftercall_jobs_finished_total";
    assert_eq!(seen.sum(finished, ("status", "completed")), Some(4.0));
    assert_eq!(seen.sum(finished, ("status", "failed")), Some(1.0));
    let count = "http_server_request_duration_seconds_count";
    assert_eq!(seen.values_of(count, "listener").len(), 3);
    assert!(seen.get("process_resident_memory_bytes", &[]) > Some(1e6));
    assert!(seen.get("process_open_fds", &[]) > Some(10.0));
    assert!(seen.get("process_start_time_seconds", &[]) > Some(1.7e9));
    let build = seen.all("aftercall_build_info").next().unwrap();
    assert_eq!(build.labels["version"], env!("CARGO_PKG_VERSION"));
    assert!(build.labels["rustc"].starts_with("1."), "{build:?}");
    service.stop().await.success();
}

#[tokio::test]
async fn metrics_can_be_turned_off() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("AFTERCALL__OPS__METRICS", "false");
    let service = Service::start(&home).await;
    let id = service.submit(json!({})).await;
    service.finished(&id).await;
    assert_eq!(service.status(&format!("{}/metrics", service.ops)).await, 404);
    assert_eq!(aftercall::samples::latest(&db.pool).await.unwrap(), None);
    service.stop().await.success();
}
