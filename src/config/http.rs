//! Settings shared by all listeners.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{validate::SettingFaults, values::HumanDuration};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    #[serde(with = "HumanDuration")]
    pub write_timeout: Duration,
}

impl HttpSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(!self.write_timeout.is_zero(), "http.write_timeout must be greater than 0");
    }
}
