//! The settings that the views for dashboards need.
use crate::{config::Settings, reporting::PublishedSetting};

pub fn settings(settings: &Settings) -> Vec<PublishedSetting> {
    let gate = &settings.provider.gate;
    vec![
        ("provider.gate.limit", Some(f64::from(gate.limit))),
        ("provider.gate.window", Some(gate.window.as_secs_f64())),
    ]
}
