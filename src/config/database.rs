//! The database and its connections.
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{
    validate::SettingFaults,
    values::{Automatic, HumanDuration, OptionalSecret},
};
use crate::db::Servers;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    #[serde(with = "OptionalSecret")]
    pub url: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub password: Option<SecretString>,
    pub embedded: Automatic,
    pub migrate: Automatic,
    pub distributed: bool,
    #[serde(with = "OptionalSecret")]
    pub migration_url: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub listen_url: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub runtime_password: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub reader_password: Option<SecretString>,
    #[serde(with = "OptionalSecret")]
    pub read_url: Option<SecretString>,
    #[serde(with = "HumanDuration")]
    pub read_max_lag: Duration,
    pub allow_superuser: bool,
    pub max_connections: u32,
    #[serde(with = "HumanDuration")]
    pub acquire_timeout: Duration,
    #[serde(with = "HumanDuration")]
    pub start_timeout: Duration,
}

impl DatabaseSettings {
    /// The servers of `url`, if that is set.
    pub fn servers(&self) -> anyhow::Result<Option<Servers>> {
        self.servers_of("database.url", self.url.as_ref())
    }

    /// The servers of `migration_url`, if that is set.
    pub fn migration_servers(&self) -> anyhow::Result<Option<Servers>> {
        self.servers_of("database.migration_url", self.migration_url.as_ref())
    }

    /// The server of `read_url`, if that is set.
    pub fn read_server(&self) -> anyhow::Result<Option<Servers>> {
        self.servers_of("database.read_url", self.read_url.as_ref())
    }

    /// The servers of `listen_url`, if that is set.
    pub fn listen_servers(&self) -> anyhow::Result<Option<Servers>> {
        self.servers_of("database.listen_url", self.listen_url.as_ref())
    }

    fn servers_of(&self, key: &str, url: Option<&SecretString>) -> anyhow::Result<Option<Servers>> {
        let parse =
            |url: &SecretString| Servers::parse(url.expose_secret(), self.password.as_ref());
        let parsed = url.map(parse).transpose();
        parsed.map_err(|faults| anyhow::anyhow!("{key} {}", faults.join(", and ")))
    }

    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.max_connections >= 2, "database.max_connections must be at least 2");
        let urls = [
            ("url", &self.url),
            ("migration_url", &self.migration_url),
            ("read_url", &self.read_url),
            ("listen_url", &self.listen_url),
        ];
        for (key, url) in urls {
            let Some(url) = url else { continue };
            let parsed = Servers::parse(url.expose_secret(), None);
            faults.check(
                key != "read_url" || !parsed.as_ref().is_ok_and(Servers::must_write),
                "database.read_url must name one host, without target_session_attrs",
            );
            for fault in parsed.err().unwrap_or_default() {
                faults.check(false, &format!("database.{key} {fault}"));
            }
        }
        faults.check(
            self.read_url.is_none() || self.url.is_some(),
            "database.read_url is set without database.url: the private database has no replica",
        );
        faults.check(
            self.listen_url.is_none() || self.url.is_some(),
            "database.listen_url is set without database.url: it must name the same database without its pooler",
        );
        faults.check(
            !self.distributed || self.url.is_some(),
            "database.distributed needs database.url: the embedded database has no Citus",
        );
    }
}
