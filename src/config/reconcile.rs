//! How overdue jobs are handled.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::HumanDuration;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSettings {
    #[serde(with = "HumanDuration")]
    pub after: Duration,
    #[serde(with = "HumanDuration")]
    pub interval: Duration,
}
