//! The keys that seal stored secrets.
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{validate::SettingFaults, values::OptionalSecret};
use crate::seal::Keys;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealSettings {
    #[serde(with = "OptionalSecret")]
    pub key: Option<SecretString>,
}

impl SealSettings {
    pub(super) fn check(&self, is_production: bool, faults: &mut SettingFaults) {
        faults.check(
            self.key.is_some() || !is_production,
            "seal.key is not set, and production needs it to seal stored credentials: write a key to a file with \
             `aftercall seal key`, keep a copy of it, and set AFTERCALL__SEAL__KEY_FILE to its path",
        );
        if let Some(Err(wrong)) = self.keys() {
            for fault in wrong {
                faults.check(false, &format!("seal.key: {fault}"));
            }
        }
    }

    /// The configured keys, if there are any.
    pub fn keys(&self) -> Option<Result<Keys, Vec<String>>> {
        self.key.as_ref().map(|key| Keys::parse(key.expose_secret()))
    }
}
