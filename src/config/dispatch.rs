//! How jobs are submitted to the provider.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{validate::SettingFaults, values::HumanDuration};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchSettings {
    pub concurrency: usize,
    #[serde(with = "HumanDuration")]
    pub poll_interval: Duration,
    #[serde(with = "HumanDuration")]
    pub lease: Duration,
    #[serde(with = "HumanDuration")]
    pub unconfirmed_wait: Duration,
    #[serde(with = "HumanDuration")]
    pub url_margin: Duration,
    pub max_attempts: u32,
    #[serde(with = "HumanDuration")]
    pub backoff: Duration,
    #[serde(with = "HumanDuration")]
    pub backoff_max: Duration,
}

impl DispatchSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.concurrency >= 1, "dispatch.concurrency must be at least 1");
        faults.check(self.max_attempts >= 1, "dispatch.max_attempts must be at least 1");
    }
}
