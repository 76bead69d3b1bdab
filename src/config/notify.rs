//! Notifications: where they may be sent, and how.
use std::{borrow::Cow, net::IpAddr, str::FromStr, time::Duration};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Host;

use super::{
    validate::SettingFaults,
    values::{HumanDuration, HumanDurations},
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySettings {
    pub allow: Vec<Allowed>,
    pub private_networks: bool,
    #[serde(with = "HumanDuration")]
    pub timeout: Duration,
    #[serde(with = "HumanDuration")]
    pub rotation_overlap: Duration,
    pub endpoints_per_caller: u32,
    pub concurrency: usize,
    pub concurrency_per_endpoint: u32,
    #[serde(with = "HumanDuration")]
    pub poll_interval: Duration,
    #[serde(with = "HumanDuration")]
    pub lease: Duration,
    #[serde(with = "HumanDurations")]
    pub retries: Vec<Duration>,
    #[serde(with = "HumanDuration")]
    pub retry_after_max: Duration,
    #[serde(with = "HumanDuration")]
    pub slow_down_max: Duration,
    #[serde(with = "HumanDuration")]
    pub pause_after: Duration,
    pub pause_failures: u32,
    #[serde(with = "HumanDuration")]
    pub pause_failures_over: Duration,
    #[serde(with = "HumanDuration")]
    pub probe_interval: Duration,
    pub replay_max: u32,
}

impl NotifySettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(
            (Duration::from_secs(1)..=Duration::from_mins(1)).contains(&self.timeout),
            "notify.timeout must be between 1s and 1m",
        );
        faults.check(
            self.endpoints_per_caller >= 1,
            "notify.endpoints_per_caller must be at least 1",
        );
        faults.check(
            self.concurrency >= 2 && self.concurrency_per_endpoint >= 1,
            "notify.concurrency must be at least 2 (half of it is for endpoints that fail), and \
             notify.concurrency_per_endpoint at least 1",
        );
        faults.check(
            self.lease >= self.timeout * 4,
            "notify.lease must be at least four times notify.timeout (claimed messages wait for their turn): a message \
             whose lease expires is sent again",
        );
        faults.check(self.replay_max >= 1, "notify.replay_max must be at least 1");
    }
}

/// One entry of `notify.allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// An exact name, in lower case: whatever it resolves to.
    Host(String),
    /// An exact address.
    Address(IpAddr),
    /// Ordinary and private addresses in this network.
    Network(IpNet),
}

impl Allowed {
    fn of_network(network: IpNet) -> Result<Self, String> {
        if network.prefix_len() == network.max_prefix_len() {
            return Ok(Self::Address(network.addr()));
        }
        let special = match network.trunc() {
            IpNet::V4(v4) => v4.addr().is_loopback() || v4.addr().is_link_local(),
            IpNet::V6(v6) => v6.addr().is_unicast_link_local(),
        };
        if special || network.addr().is_multicast() {
            return Err(format!(
                "`{network}` has no effect: name each loopback or link-local address that may be sent to"
            ));
        }
        Ok(Self::Network(network))
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return Self::of_network(network);
        }
        let advice = format!(
            "`{text}` must be a host name, an address or a network, such as hooks.internal, 127.0.0.1 or \
             10.0.0.0/8, without scheme, port and wildcards"
        );
        if let Ok(address) = text.trim_matches(['[', ']']).parse() {
            return Ok(Self::Address(address));
        }
        if text.contains('*') {
            return Err(advice);
        }
        match Host::parse(text.trim_end_matches('.')) {
            Ok(Host::Domain(name)) if !name.is_empty() => Ok(Self::Host(name)),
            _ => Err(advice),
        }
    }
}

impl<'de> Deserialize<'de> for Allowed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Allowed {
    fn schema_name() -> Cow<'static, str> {
        "Allowed".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
