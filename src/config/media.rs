//! Uploaded recordings and the store that holds them.
use std::time::Duration;

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
pub struct MediaSettings {
    #[serde(with = "Optional::<Url>")]
    pub store: Option<Url>,
    pub spool: String,
    #[schemars(with = "HumanSize")]
    pub max_size: ByteSize,
    #[serde(with = "HumanDuration")]
    pub max_duration: Duration,
    #[schemars(with = "HumanSize")]
    pub caller_bytes: ByteSize,
    pub max_transfers: usize,
    pub max_transfers_per_caller: usize,
    #[schemars(with = "HumanSize")]
    pub min_rate: ByteSize,
    #[serde(with = "HumanDuration")]
    pub timeout: Duration,
    #[serde(with = "HumanDuration")]
    pub max_time: Duration,
    pub max_decodes: usize,
    pub max_fetches: usize,
    pub max_fetches_per_attempt: usize,
    #[schemars(with = "HumanSize")]
    pub egress_rate: ByteSize,
    #[schemars(with = "HumanSize")]
    pub egress_rate_total: ByteSize,
    #[serde(with = "HumanDuration")]
    pub store_timeout: Duration,
    #[serde(with = "HumanDuration")]
    pub orphans_after: Duration,
}

impl MediaSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        let is_folder = |url: &Url| url.scheme() == "file" && url.to_file_path().is_ok();
        let is_bucket = |url: &Url| {
            url.scheme() == "s3"
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
        };
        faults.check(
            self.store.as_ref().is_none_or(|url| is_folder(url) || is_bucket(url)),
            "media.store must be file:///path/to/a/folder or s3://bucket/prefix; credentials are read from AWS_*",
        );
        for (name, size) in [
            ("max_size", self.max_size),
            ("min_rate", self.min_rate),
            ("egress_rate", self.egress_rate),
            ("egress_rate_total", self.egress_rate_total),
        ] {
            faults.check(size.as_u64() >= 1, &format!("media.{name} must be at least 1 byte"));
        }
        for (name, time) in [
            ("timeout", self.timeout),
            ("max_time", self.max_time),
            ("store_timeout", self.store_timeout),
            ("max_duration", self.max_duration),
        ] {
            let least = Duration::from_secs(1);
            faults.check(time >= least, &format!("media.{name} must be at least 1s"));
        }
        faults.check(
            self.orphans_after >= Duration::from_mins(1),
            "media.orphans_after must be at least 1m: an upload may take half of it to be stored",
        );
        faults.check(
            self.caller_bytes >= self.max_size,
            "media.caller_bytes must be at least media.max_size",
        );
        for (name, most, of_one) in [
            ("max_transfers_per_caller", self.max_transfers, self.max_transfers_per_caller),
            ("max_fetches_per_attempt", self.max_fetches, self.max_fetches_per_attempt),
        ] {
            let (all, _) = name.split_once("_per_").unwrap_or_default();
            faults.check(
                (1..=most).contains(&of_one),
                &format!("media.{name} must be at least 1 and at most media.{all}"),
            );
        }
        faults.check(self.max_decodes >= 1, "media.max_decodes must be at least 1");
        faults.check(
            self.egress_rate <= self.egress_rate_total,
            "media.egress_rate must be at most media.egress_rate_total",
        );
    }
}
