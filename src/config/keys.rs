//! API keys: how long they live, and how often each may be used.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    validate::SettingFaults,
    values::{Age, HumanDuration},
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysSettings {
    #[serde(with = "Age")]
    pub lifetime: Option<Duration>,
    #[serde(with = "HumanDuration")]
    pub overlap: Duration,
    pub rate_limit: u32,
    #[serde(with = "HumanDuration")]
    pub rate_window: Duration,
    pub unknown_keys: u32,
}

/// A longer time can only be a mistake.
const LONGEST: Duration = Duration::from_hours(50 * 365 * 24);

impl KeysSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        let lifetimes = Duration::from_mins(1)..=LONGEST;
        faults.check(
            self.lifetime.is_none_or(|lifetime| lifetimes.contains(&lifetime)),
            "keys.lifetime must be 1m to 50 years, or \"off\"",
        );
        faults.check(self.overlap <= LONGEST, "keys.overlap must be at most 50 years");
        faults.check(self.rate_limit >= 1, "keys.rate_limit must be at least 1");
        let whole_seconds = self.rate_window.subsec_nanos() == 0;
        faults.check(
            whole_seconds && (1..=86_400).contains(&self.rate_window.as_secs()),
            "keys.rate_window must be 1s to 24h, in whole seconds",
        );
        faults.check(self.unknown_keys >= 1, "keys.unknown_keys must be at least 1");
    }
}
