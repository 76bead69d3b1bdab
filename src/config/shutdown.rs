//! How the process shuts down.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::HumanDuration;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShutdownSettings {
    #[serde(with = "HumanDuration")]
    pub drain_delay: Duration,
    #[serde(with = "HumanDuration")]
    pub timeout: Duration,
}
