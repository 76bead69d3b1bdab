//! The listener for the provider's deliveries.
use std::{net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{
    validate::SettingFaults,
    values::{HumanDuration, HumanSize, Optional},
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub listen: SocketAddr,
    #[serde(with = "Optional::<Url>")]
    pub public_url: Option<Url>,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    #[schemars(with = "HumanSize")]
    pub max_body: ByteSize,
    #[schemars(with = "HumanSize")]
    pub max_inflated: ByteSize,
    #[serde(with = "HumanDuration")]
    pub read_timeout: Duration,
    pub unknown_tokens: u32,
    #[schemars(with = "HumanSize")]
    pub unproven_body: ByteSize,
    #[schemars(with = "HumanSize")]
    pub unproven_memory: ByteSize,
    pub unproven_per_address: u32,
    #[serde(with = "HumanDuration")]
    pub self_test: Duration,
}

impl WebhookSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(
            (1..=self.max_connections).contains(&self.max_connections_per_address),
            "webhook.max_connections_per_address must be at least 1 and at most \
             webhook.max_connections",
        );
        faults.check(
            self.unproven_body <= ByteSize::kib(64),
            "webhook.unproven_body must be at most 64KiB",
        );
        faults.check(
            self.unproven_memory >= self.unproven_body,
            "webhook.unproven_memory must be at least webhook.unproven_body",
        );
        faults.check(!self.read_timeout.is_zero(), "webhook.read_timeout must be greater than 0");
    }
}
