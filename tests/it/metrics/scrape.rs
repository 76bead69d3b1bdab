//! `GET /metrics`.
use std::sync::Arc;

use aftercall::{
    app, http,
    http::OpsState,
    metrics::{CONTENT_TYPE, Metrics, SAMPLED},
};
use axum::{body::Body, http::Request};

use crate::support::{answer::Answer, app::TestApp, exposition::Exposition};

async fn answered(app: &TestApp, metrics: Metrics) -> Answer {
    let (db, started) = (app.db.runtime.clone(), Arc::new(true.into()));
    let state = OpsState::new(db, started, app.draining.clone(), app::takes_submissions);
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    Answer::of(&http::ops(state, metrics), request).await
}

pub async fn scraped(app: &TestApp) -> Exposition {
    let answer = answered(app, app.metrics.clone()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), CONTENT_TYPE);
    Exposition::of(String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_scrape_needs_no_database() {
    let app = TestApp::start().await;
    app.metrics.watch_pool(&app.db.runtime);
    app.submit().await;
    app.sampler().round().await.unwrap();
    app.db.runtime.close().await;
    let seen = scraped(&app).await;
    assert_eq!(seen.get("aftercall_jobs", &[("status", "queued")]), Some(1.0));
    assert_eq!(seen.get("aftercall_db_pool_connections", &[("state", "used")]), Some(0.0));
    assert_eq!(seen.get("aftercall_db_pool_connections_max", &[]), Some(5.0));
    assert!(seen.get("aftercall_samples_timestamp_seconds", &[]) > Some(1.7e9));
}

#[tokio::test]
async fn every_sampled_value_is_shown_and_listed() {
    let app = TestApp::start().await;
    app.submit().await;
    app.sampler().round().await.unwrap();
    let latest = aftercall::samples::latest(&app.db.pool).await.unwrap().unwrap();
    let seen = scraped(&app).await;
    for (name, samples) in latest.values.iter() {
        let listed = SAMPLED.iter().find(|it| it.name == name);
        let listed = listed.unwrap_or_else(|| panic!("{name} is not in metrics::SAMPLED"));
        for sample in samples {
            let labels: Vec<(&str, &str)> =
                sample.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, listed.labels, "{name}");
            assert_eq!(seen.get(name, &labels), Some(sample.value), "{name}");
        }
    }
}

#[tokio::test]
async fn without_metrics_there_is_nothing_to_scrape() {
    let app = TestApp::start().await;
    assert_eq!(answered(&app, Metrics::default()).await.status, 404);
}
