//! The web console.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{validate::SettingFaults, values::HumanDuration};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsoleSettings {
    pub enabled: bool,
    pub read_only: bool,
    #[serde(with = "HumanDuration")]
    pub session: Duration,
}

/// A longer session should be a key of its own.
const LONGEST: Duration = Duration::from_hours(30 * 24);

impl ConsoleSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(
            (Duration::from_mins(1)..=LONGEST).contains(&self.session),
            "console.session must be 1m to 30d",
        );
    }
}
