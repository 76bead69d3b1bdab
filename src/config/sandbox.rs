//! The emulator of the provider.
use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{
    validate::SettingFaults,
    values::{HumanDuration, HumanSize, Optional},
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one open question about the provider")]
pub struct SandboxSettings {
    #[serde(with = "Optional::<Url>")]
    pub url: Option<Url>,
    #[serde(with = "Optional::<Url>")]
    pub webhook_url: Option<Url>,
    pub listen: SocketAddr,
    pub client_id: String,
    #[schemars(with = "String")]
    pub client_secret: SecretString,
    #[schemars(with = "String")]
    pub jwt: SecretString,
    pub scope: String,
    pub jwt_error_code: String,
    pub max_sessions: usize,
    pub refresh_tokens: bool,
    #[serde(with = "Optional::<PathBuf>")]
    pub ledger: Option<PathBuf>,
    #[serde(with = "HumanDuration")]
    pub latency: Duration,
    pub rate_limit: u32,
    #[serde(with = "HumanDuration")]
    pub rate_window: Duration,
    #[serde(with = "HumanDuration")]
    pub rate_penalty: Duration,
    pub auth_rate_limit: u32,
    #[schemars(with = "HumanSize")]
    pub max_body: ByteSize,
    #[schemars(with = "HumanSize")]
    pub media_max: ByteSize,
    #[serde(with = "HumanDuration")]
    pub media_max_length: Duration,
    #[serde(with = "HumanDuration")]
    pub media_timeout: Duration,
    pub delivery_attempts: u32,
    #[serde(with = "HumanDuration")]
    pub delivery_backoff: Duration,
    #[serde(with = "HumanDuration")]
    pub delivery_timeout: Duration,
    pub acknowledge: Acknowledge,
    pub retry_unreachable: bool,
    pub envelope: Envelope,
    pub request_id_header: bool,
    #[serde(with = "HumanDuration")]
    pub token_lifetime: Duration,
    #[serde(with = "HumanDuration")]
    pub retention: Duration,
    pub unknown_job_status: u16,
    pub unknown_job_code: String,
    pub media_error_code: String,
    pub pace_slow_below: f64,
    pub pace_fast_above: f64,
    pub energy_floor: f64,
    pub ratio_of_many: RatioOfMany,
    pub webhook_required: bool,
    pub required_parameters: Vec<String>,
    pub content_allowed: bool,
    pub sync_uri_validation: bool,
    pub default_insights: Vec<String>,
    pub enrolled_speakers: Vec<String>,
    pub faults: Vec<String>,
    #[serde(with = "HumanDuration")]
    pub late_by: Duration,
    #[serde(with = "HumanDuration")]
    pub slow_by: Duration,
    pub seed: u64,
}

impl SandboxSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.max_sessions >= 1, "sandbox.max_sessions must be at least 1");
        faults.check(self.rate_limit >= 1, "sandbox.rate_limit must be at least 1");
        faults.check(self.auth_rate_limit >= 1, "sandbox.auth_rate_limit must be at least 1");
        faults.check(self.delivery_attempts >= 1, "sandbox.delivery_attempts must be at least 1");
        faults.check(
            self.energy_floor < 0.0,
            "sandbox.energy_floor must be less than 0: it is relative to full scale",
        );
        faults.check(
            self.pace_slow_below <= self.pace_fast_above,
            "sandbox.pace_slow_below must not exceed sandbox.pace_fast_above",
        );
        faults.check(
            (400..500).contains(&self.unknown_job_status),
            "sandbox.unknown_job_status must be between 400 and 499",
        );
    }
}

/// Which responses to a delivery the sandbox accepts as an acknowledgment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Acknowledge {
    #[serde(rename = "200")]
    Exactly200,
    #[serde(rename = "2xx")]
    AnySuccess,
}

/// Generation of the provider whose 202 and delivery the sandbox imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Envelope {
    #[serde(rename = "2022")]
    Bare,
    #[serde(rename = "2023")]
    WithJob,
}

/// What the talk time of one of three or more speakers is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RatioOfMany {
    Rest,
    Recording,
}
