//! The provider, and how often it may be called.
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{
    validate::SettingFaults,
    values::{HumanDuration, Optional, OptionalSecret},
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    #[serde(with = "Optional::<Url>")]
    pub base_url: Option<Url>,
    #[serde(with = "Optional::<String>")]
    pub client_id: Option<String>,
    #[serde(with = "OptionalSecret")]
    pub client_secret: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub jwt: Option<SecretString>,
    #[serde(with = "HumanDuration")]
    pub timeout: Duration,
    pub media_hosts: Vec<String>,
    pub gate: GateSettings,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSettings {
    pub limit: u32,
    #[serde(with = "HumanDuration")]
    pub window: Duration,
    #[serde(with = "HumanDuration")]
    pub penalty: Duration,
    pub poll_share: f64,
    #[serde(with = "HumanDuration")]
    pub probe: Duration,
}

impl ProviderSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        for host in &self.media_hosts {
            let url = Url::parse(&format!("https://{host}/"));
            let is_name = url.is_ok_and(|url| url.domain() == Some(&*host.to_ascii_lowercase()));
            faults.check(
                is_name,
                "provider.media_hosts must be names of hosts, such as media.ringcentral.com, without scheme and port",
            );
        }
        self.gate.check(faults);
    }
}

impl GateSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.limit >= 1, "provider.gate.limit must be at least 1");
        faults.check(!self.window.is_zero(), "provider.gate.window must be greater than 0");
        faults.check(!self.probe.is_zero(), "provider.gate.probe must be greater than 0");
        faults.check(
            (0.0..=1.0).contains(&self.poll_share),
            "provider.gate.poll_share must be between 0 and 1",
        );
    }
}
