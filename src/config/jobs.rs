//! The lifetime of jobs.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{validate::SettingFaults, values::HumanDuration};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobsSettings {
    #[serde(with = "HumanDuration")]
    pub deadline: Duration,
}

impl JobsSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.deadline >= Duration::from_secs(1), "jobs.deadline must be at least 1s");
    }
}
