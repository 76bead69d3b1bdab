//! The format of the log, and what is logged.
use schemars::JsonSchema;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::validate::SettingFaults;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
    pub filter: String,
}

impl LogSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(
            EnvFilter::try_new(&self.filter).is_ok(),
            "log.filter is not a log filter; it is written as in \"info,sqlx=warn\"",
        );
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Json,
    Pretty,
}
