//! The shape of the settings. `config/default.toml` documents each key.
use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub roles: Vec<Role>,
    pub database: DatabaseSettings,
    pub http: HttpSettings,
    pub api: ApiSettings,
    pub webhook: WebhookSettings,
    pub ingest: IngestSettings,
    pub ops: OpsSettings,
    pub provider: ProviderSettings,
    pub dispatch: DispatchSettings,
    pub jobs: JobsSettings,
    pub reconcile: ReconcileSettings,
    pub retention: RetentionSettings,
    pub shutdown: ShutdownSettings,
    pub sandbox: SandboxSettings,
    pub log: LogSettings,
}

/// A part of the work that one process takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Api,
    Webhook,
    Worker,
}

/// What may be made of one delivery.
#[derive(Debug, Clone, Copy)]
pub struct TextLimits {
    /// Most bytes, once its compression is undone.
    pub inflated: usize,
    /// Most values of its JSON.
    pub values: usize,
}

impl Settings {
    pub fn text_limits(&self) -> TextLimits {
        TextLimits { inflated: bytes(self.webhook.max_inflated), values: self.ingest.max_values }
    }
}

/// As many as fit into memory at all.
pub fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// Whether something that Aftercall can do by itself is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Automatic {
    Auto,
    Off,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    #[serde(deserialize_with = "secret")]
    pub url: Option<SecretString>,
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    pub embedded: Automatic,
    pub migrate: Automatic,
    #[serde(deserialize_with = "secret")]
    pub migration_url: Option<SecretString>,
    pub max_connections: u32,
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub start_timeout: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "present")]
    pub public_url: Option<Url>,
    pub max_connections: usize,
    pub max_body: ByteSize,
    pub max_values: usize,
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    pub memory: ByteSize,
    pub memory_per_caller: ByteSize,
    pub max_requests: usize,
    pub max_requests_per_caller: usize,
    pub max_waits: usize,
    pub max_waits_per_caller: usize,
    pub max_streams: usize,
    pub max_streams_per_caller: usize,
    pub max_exports: u16,
    pub max_exports_per_caller: u16,
    pub export_min_rate: ByteSize,
    #[serde(with = "humantime_serde")]
    pub export_patience: Duration,
    #[serde(with = "humantime_serde")]
    pub export_max_time: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "present")]
    pub public_url: Option<Url>,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_body: ByteSize,
    pub max_inflated: ByteSize,
    #[serde(with = "humantime_serde")]
    pub read_timeout: Duration,
    pub unknown_tokens: u32,
    pub unproven_body: ByteSize,
    pub unproven_memory: ByteSize,
    pub unproven_per_address: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestSettings {
    pub batch_max: usize,
    #[serde(with = "humantime_serde")]
    pub batch_wait: Duration,
    pub writers: usize,
    pub queue_max: usize,
    pub memory: ByteSize,
    pub max_values: usize,
    pub token_bodies: u32,
    pub attempt_deliveries: u32,
    pub attempt_bytes: ByteSize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpsSettings {
    pub listen: SocketAddr,
    pub max_connections: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    #[serde(deserialize_with = "present")]
    pub base_url: Option<Url>,
    #[serde(deserialize_with = "present")]
    pub client_id: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub client_secret: Option<SecretString>,
    #[serde(deserialize_with = "secret")]
    pub jwt: Option<SecretString>,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub gate: GateSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSettings {
    pub limit: u32,
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    #[serde(with = "humantime_serde")]
    pub penalty: Duration,
    pub poll_share: f64,
    #[serde(with = "humantime_serde")]
    pub probe: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispatchSettings {
    pub concurrency: usize,
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub unconfirmed_wait: Duration,
    pub max_attempts: u32,
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsSettings {
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSettings {
    #[serde(with = "humantime_serde")]
    pub after: Duration,
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    pub partitions_ahead: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownSettings {
    #[serde(with = "humantime_serde")]
    pub drain_delay: Duration,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one open question about the provider")]
pub struct SandboxSettings {
    #[serde(deserialize_with = "present")]
    pub url: Option<Url>,
    #[serde(deserialize_with = "present")]
    pub webhook_url: Option<Url>,
    pub listen: SocketAddr,
    pub client_id: String,
    pub client_secret: SecretString,
    pub jwt: SecretString,
    pub scope: String,
    pub jwt_error_code: String,
    pub max_sessions: usize,
    pub refresh_tokens: bool,
    #[serde(deserialize_with = "present")]
    pub ledger: Option<PathBuf>,
    #[serde(with = "humantime_serde")]
    pub latency: Duration,
    pub rate_limit: u32,
    #[serde(with = "humantime_serde")]
    pub rate_window: Duration,
    #[serde(with = "humantime_serde")]
    pub rate_penalty: Duration,
    pub auth_rate_limit: u32,
    pub max_body: ByteSize,
    pub media_max: ByteSize,
    #[serde(with = "humantime_serde")]
    pub media_max_length: Duration,
    #[serde(with = "humantime_serde")]
    pub media_timeout: Duration,
    pub delivery_attempts: u32,
    #[serde(with = "humantime_serde")]
    pub delivery_backoff: Duration,
    #[serde(with = "humantime_serde")]
    pub delivery_timeout: Duration,
    pub acknowledge: Acknowledge,
    pub retry_unreachable: bool,
    pub envelope: Envelope,
    pub request_id_header: bool,
    #[serde(with = "humantime_serde")]
    pub token_lifetime: Duration,
    #[serde(with = "humantime_serde")]
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
    #[serde(with = "humantime_serde")]
    pub late_by: Duration,
    #[serde(with = "humantime_serde")]
    pub slow_by: Duration,
    pub seed: u64,
}

/// Which answers to a delivery the sandbox takes as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Acknowledge {
    #[serde(rename = "200")]
    Exactly200,
    #[serde(rename = "2xx")]
    AnySuccess,
}

/// Generation of the provider whose 202 and delivery the sandbox imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Envelope {
    #[serde(rename = "2022")]
    Bare,
    #[serde(rename = "2023")]
    WithJob,
}

/// What the talk of one among three or more speakers is set against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RatioOfMany {
    Rest,
    Recording,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Json,
    Pretty,
}

impl Settings {
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The embedded database belongs to this process alone, so it is always migrated.
    pub fn migrates_at_start(&self) -> bool {
        self.database.migrate == Automatic::Auto || self.database.url.is_none()
    }

    /// Whether a provider is configured; without one the sandbox takes its place.
    pub fn has_provider(&self) -> bool {
        self.provider.base_url.is_some()
    }
}

/// An empty text is an absent value: TOML has no null.
fn present<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(from)?;
    match text.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    let text = SecretString::deserialize(from)?;
    Ok((!text.expose_secret().is_empty()).then_some(text))
}
