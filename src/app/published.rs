//! The settings that the views for dashboards need.
use std::time::Duration;

use crate::{config::Settings, reporting::PublishedSetting};

pub fn settings(settings: &Settings) -> Vec<PublishedSetting> {
    let gate = &settings.provider.gate;
    let kept = &settings.retention;
    let seconds = |age: Option<Duration>| age.map(|age| age.as_secs_f64());
    vec![
        ("provider.gate.limit", Some(f64::from(gate.limit))),
        ("provider.gate.window", Some(gate.window.as_secs_f64())),
        ("retention.deliveries", seconds(kept.deliveries)),
        ("retention.results", seconds(kept.results)),
        ("retention.timeline", seconds(kept.timeline)),
        ("retention.contents", seconds(kept.contents)),
        ("retention.media", seconds(kept.media)),
        ("retention.notifications", seconds(kept.notifications)),
        ("retention.jobs", seconds(kept.jobs)),
    ]
}
