//! The provider, and how often it may be called.
use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{
    validate::SettingFaults,
    values::{HumanDuration, Optional, OptionalDuration, OptionalSecret},
};

/// Name of the account whose credentials are those of `[provider]` itself.
pub const DEFAULT_ACCOUNT: &str = "default";
/// The settings of a further account.
pub(super) const OF_ACCOUNT: [&str; 6] =
    ["base_url", "client_id", "client_secret", "jwt", "limit", "window"];
const LONGEST_NAME: usize = 32;

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
    /// Further accounts, each with `client_id`, `client_secret` and `jwt`, and, where they differ, `base_url`, `limit`
    /// and `window`.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountSettings>,
}

/// A further account; what is not set is as for the default one.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSettings {
    #[serde(default, deserialize_with = "Optional::<Url>::deserialize")]
    #[schemars(with = "Optional::<Url>")]
    pub base_url: Option<Url>,
    #[serde(default, deserialize_with = "Optional::<String>::deserialize")]
    #[schemars(with = "Optional::<String>")]
    pub client_id: Option<String>,
    #[serde(default, deserialize_with = "OptionalSecret::deserialize")]
    #[schemars(with = "OptionalSecret")]
    pub client_secret: Option<SecretString>,
    #[serde(default, deserialize_with = "OptionalSecret::deserialize")]
    #[schemars(with = "OptionalSecret")]
    pub jwt: Option<SecretString>,
    #[serde(default)]
    pub limit: Option<u32>,
    #[serde(default, deserialize_with = "OptionalDuration::deserialize")]
    #[schemars(with = "OptionalDuration")]
    pub window: Option<Duration>,
}

/// How often an account may be called.
#[derive(Debug, Clone)]
pub struct AccountGate {
    pub account: String,
    pub settings: GateSettings,
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
        for (name, account) in &self.accounts {
            self.check_account(name, account, faults);
        }
    }

    fn check_account(&self, name: &str, account: &AccountSettings, faults: &mut SettingFaults) {
        let at = format!("provider.accounts.{name}");
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        faults.check(
            name.len() <= LONGEST_NAME && name.bytes().all(is_plain) && name != DEFAULT_ACCOUNT,
            &format!(
                "{at}: use another name, of up to {LONGEST_NAME} of a-z, 0-9 and _ ({DEFAULT_ACCOUNT} is the account in [provider])"
            ),
        );
        let is_whole =
            account.client_id.is_some() && account.client_secret.is_some() && account.jwt.is_some();
        faults.check(is_whole, &format!("{at} needs client_id, client_secret and jwt"));
        faults.check(
            self.base_url.is_some(),
            &format!("{at} is set without provider.base_url, which is the default account's: set that first"),
        );
        faults.check(account.limit != Some(0), &format!("{at}.limit must be at least 1"));
        faults.check(
            account.window.is_none_or(|window| !window.is_zero()),
            &format!("{at}.window must be greater than 0"),
        );
    }

    /// How often each account may be called; the default one is the first.
    pub fn gates(&self) -> Vec<AccountGate> {
        let default = AccountGate { account: DEFAULT_ACCOUNT.into(), settings: self.gate.clone() };
        let further = self.accounts.iter().map(|(name, account)| AccountGate {
            account: name.clone(),
            settings: GateSettings {
                limit: account.limit.unwrap_or(self.gate.limit),
                window: account.window.unwrap_or(self.gate.window),
                ..self.gate.clone()
            },
        });
        std::iter::once(default).chain(further).collect()
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
