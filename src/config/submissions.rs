//! How submissions are stored.
use schemars::JsonSchema;
use serde::Deserialize;

use super::validate::SettingFaults;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionsSettings {
    pub batch_max: usize,
    pub writers: usize,
}

impl SubmissionsSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(
            self.batch_max >= 1 && self.writers >= 1,
            "submissions.batch_max and submissions.writers must be at least 1",
        );
    }
}
