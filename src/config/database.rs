//! The database and its connections.
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    validate::SettingFaults,
    values::{Automatic, HumanDuration, OptionalSecret},
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    #[serde(with = "OptionalSecret")]
    pub url: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub password: Option<SecretString>,
    pub embedded: Automatic,
    pub migrate: Automatic,
    #[serde(with = "OptionalSecret")]
    pub migration_url: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub runtime_password: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub reader_password: Option<SecretString>,
    pub allow_superuser: bool,
    pub max_connections: u32,
    #[serde(with = "HumanDuration")]
    pub acquire_timeout: Duration,
    #[serde(with = "HumanDuration")]
    pub start_timeout: Duration,
}

impl DatabaseSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.max_connections >= 2, "database.max_connections must be at least 2");
    }
}
