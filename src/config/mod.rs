//! Settings: reads the defaults, files and environment variables into one validated [`Settings`].
//!
//! No other module reads configuration files or the environment. Later sources take precedence:
//! `config/default.toml` (compiled in), `config/<AFTERCALL_ENV>.toml`, `--config`, environment
//! variables.
//!
//! A setting is a field in the file of its section, with its default, unit and reason in
//! `config/default.toml`; `config/schema.json` is generated from both.
mod api;
mod console;
mod database;
mod dispatch;
mod environment;
mod http;
mod ingest;
mod jobs;
mod keys;
mod log;
mod media;
mod notify;
mod ops;
mod provider;
mod reconcile;
mod retention;
mod sandbox;
mod schema;
mod seal;
mod settings;
mod shown;
mod shutdown;
mod sources;
mod submissions;
mod validate;
mod values;
mod webhook;

pub use api::ApiSettings;
pub use console::ConsoleSettings;
pub use database::DatabaseSettings;
pub use dispatch::DispatchSettings;
pub use environment::{
    ClientEnvironment, EmbeddedEnvironment, StoreEnvironment, TracesEnvironment, is_here,
    log_filter, shown_url,
};
pub use http::HttpSettings;
pub use ingest::IngestSettings;
pub use jobs::JobsSettings;
pub use keys::KeysSettings;
pub use log::{LogFormat, LogSettings};
pub use media::MediaSettings;
pub use notify::{Allowed, NotifySettings};
pub use ops::OpsSettings;
pub use provider::{AccountGate, AccountSettings, DEFAULT_ACCOUNT, GateSettings, ProviderSettings};
pub use reconcile::ReconcileSettings;
pub use retention::RetentionSettings;
pub use sandbox::{Acknowledge, Envelope, RatioOfMany, SandboxSettings};
pub use schema::schema;
pub use seal::SealSettings;
pub use settings::{Role, Settings, TextLimits};
pub use shown::{ShownSetting, ShownSettings};
pub use shutdown::ShutdownSettings;
pub use sources::{ConfigError, DEFAULT, Loaded, SettingOrigin, load, load_demo};
pub use submissions::SubmissionsSettings;
pub use values::{Automatic, bytes, shown_age};
pub use webhook::WebhookSettings;
