//! The settings as a whole: one file per section, and values derived from several of them.
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    ApiSettings, Automatic, ConsoleSettings, DatabaseSettings, DispatchSettings, HttpSettings,
    IngestSettings, JobsSettings, KeysSettings, LogSettings, MediaSettings, NotifySettings,
    OpsSettings, ProviderSettings, ReconcileSettings, RetentionSettings, SandboxSettings,
    SealSettings, ShownSettings, ShutdownSettings, SubmissionsSettings, WebhookSettings, bytes,
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub roles: Vec<Role>,
    pub database: DatabaseSettings,
    pub http: HttpSettings,
    pub api: ApiSettings,
    pub keys: KeysSettings,
    pub console: ConsoleSettings,
    pub webhook: WebhookSettings,
    pub submissions: SubmissionsSettings,
    pub ingest: IngestSettings,
    pub ops: OpsSettings,
    pub provider: ProviderSettings,
    pub dispatch: DispatchSettings,
    pub jobs: JobsSettings,
    pub media: MediaSettings,
    pub reconcile: ReconcileSettings,
    pub notify: NotifySettings,
    pub retention: RetentionSettings,
    pub seal: SealSettings,
    pub shutdown: ShutdownSettings,
    pub sandbox: SandboxSettings,
    pub log: LogSettings,
    /// All of the above for people, with their sources.
    #[serde(skip)]
    #[schemars(skip)]
    pub shown: ShownSettings,
}

/// A part of the work that one process takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Api,
    Webhook,
    Worker,
}

/// Limits for parsing one delivery.
#[derive(Debug, Clone, Copy)]
pub struct TextLimits {
    /// Maximum size in bytes after decompression.
    pub inflated: usize,
    /// Maximum number of JSON values.
    pub values: usize,
}

impl Settings {
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The embedded database belongs to this process alone, so it is always migrated.
    pub fn migrates_at_start(&self) -> bool {
        self.database.migrate == Automatic::Auto || self.database.url.is_none()
    }

    /// Whether a provider is configured; without one the sandbox replaces it.
    pub fn has_provider(&self) -> bool {
        self.provider.base_url.is_some()
    }

    pub fn text_limits(&self) -> TextLimits {
        TextLimits { inflated: bytes(self.webhook.max_inflated), values: self.ingest.max_values }
    }
}
