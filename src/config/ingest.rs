//! How deliveries are stored.
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    validate::SettingFaults,
    values::{HumanDuration, HumanSize},
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IngestSettings {
    pub batch_max: usize,
    #[serde(with = "HumanDuration")]
    pub batch_wait: Duration,
    pub writers: usize,
    pub queue_max: usize,
    #[schemars(with = "HumanSize")]
    pub memory: ByteSize,
    pub max_values: usize,
    pub token_bodies: u32,
    pub attempt_deliveries: u32,
    #[schemars(with = "HumanSize")]
    pub attempt_bytes: ByteSize,
}

impl IngestSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(
            self.batch_max >= 1 && self.writers >= 1 && self.queue_max >= 1,
            "ingest.batch_max, ingest.writers and ingest.queue_max must be at least 1",
        );
        faults.check(self.token_bodies >= 1, "ingest.token_bodies must be at least 1");
        faults.check(self.attempt_deliveries >= 1, "ingest.attempt_deliveries must be at least 1");
        faults.check(self.max_values >= 1000, "ingest.max_values must be at least 1000");
    }
}
