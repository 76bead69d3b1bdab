//! How long data is kept.
use schemars::JsonSchema;
use serde::Deserialize;

use super::validate::SettingFaults;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    pub partitions_ahead: u32,
}

impl RetentionSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.partitions_ahead >= 1, "retention.partitions_ahead must be at least 1");
    }
}
