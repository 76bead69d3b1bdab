//! The API listener, and the limits per caller.
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
pub struct ApiSettings {
    pub listen: SocketAddr,
    #[serde(with = "Optional::<Url>")]
    pub public_url: Option<Url>,
    pub max_connections: usize,
    #[schemars(with = "HumanSize")]
    pub max_body: ByteSize,
    pub max_values: usize,
    #[serde(with = "HumanDuration")]
    pub request_timeout: Duration,
    #[schemars(with = "HumanSize")]
    pub memory: ByteSize,
    #[schemars(with = "HumanSize")]
    pub memory_per_caller: ByteSize,
    #[schemars(with = "HumanSize")]
    pub result_memory: ByteSize,
    pub max_requests: usize,
    pub max_requests_per_caller: usize,
    pub max_waits: usize,
    pub max_waits_per_caller: usize,
    pub max_streams: usize,
    pub max_streams_per_caller: usize,
    pub max_exports: u16,
    pub max_exports_per_caller: u16,
    pub max_tests: u16,
    pub max_tests_per_caller: u16,
    #[schemars(with = "HumanSize")]
    pub export_min_rate: ByteSize,
    #[serde(with = "HumanDuration")]
    pub export_timeout: Duration,
    #[serde(with = "HumanDuration")]
    pub export_max_time: Duration,
}

impl ApiSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        for (name, most, of_caller) in [
            ("requests", self.max_requests, self.max_requests_per_caller),
            ("waits", self.max_waits, self.max_waits_per_caller),
            ("streams", self.max_streams, self.max_streams_per_caller),
            ("exports", self.max_exports.into(), self.max_exports_per_caller.into()),
            ("tests", self.max_tests.into(), self.max_tests_per_caller.into()),
        ] {
            faults.check(
                (1..=most).contains(&of_caller),
                &format!("api.max_{name}_per_caller must be at least 1 and at most api.max_{name}"),
            );
        }
        faults.check(
            self.memory_per_caller.as_u64() / 8 * 7 >= self.max_body.as_u64() * 6,
            "api.memory_per_caller must be at least seven times api.max_body, to hold one \
             much",
        );
        faults.check(
            self.memory_per_caller <= self.memory,
            "api.memory_per_caller must be at most api.memory",
        );
        faults.check(
            self.export_min_rate.as_u64() >= 1,
            "api.export_min_rate must be at least 1 byte per second",
        );
        faults.check(
            !self.export_timeout.is_zero(),
            "api.export_timeout must be longer than nothing",
        );
        faults.check(!self.export_timeout.is_zero(), "api.export_timeout must be greater than 0");
        faults.check(
            self.export_max_time >= Duration::from_secs(1),
            "api.export_max_time must be at least 1s",
        );
        faults.check(
            self.max_values >= 10_000,
            "api.max_values must be at least 10000, because one job may need that many",
        );
        faults.check(
            self.max_streams < self.max_connections,
            "api.max_streams must be less than api.max_connections: each stream takes a connection",
        );
    }
}
