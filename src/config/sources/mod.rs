//! The sources of the settings, their precedence, and all errors in them at once.
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use config::{Config, File, FileFormat, Value, ValueKind};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{Settings, ShownSettings, provider::OF_ACCOUNT, shown_url, validate};

pub(super) const DEFAULTS: &str = include_str!("../../../config/default.toml");
/// Overrides the defaults, but nothing else, for `aftercall demo`.
const DEMO: &str = include_str!("../../../config/demo.toml");

/// The source of a setting that nothing else sets.
pub const DEFAULT: &str = "default";

/// Settings that contain a secret: redacted wherever they are shown, and readable from
/// `<VAR>_FILE`.
const SECRETS: &[&str] = &[
    "database.url",
    "database.password",
    "database.migration_url",
    "database.read_url",
    "database.listen_url",
    "database.runtime_password",
    "database.reader_password",
    "provider.client_secret",
    "provider.jwt",
    "seal.key",
    "sandbox.client_secret",
    "sandbox.jwt",
];

/// Variables with names of their own; `true` when every other source overrides them.
const ALIASES: &[(&str, &str, bool)] = &[
    ("RC_SERVER_URL", "provider.base_url", true),
    ("RC_CLIENT_ID", "provider.client_id", true),
    ("RC_CLIENT_SECRET", "provider.client_secret", true),
    ("RC_JWT", "provider.jwt", true),
    ("DATABASE_URL", "database.url", false),
];

/// Variables that start with our prefix but are read elsewhere in this module.
const OTHERS: &[&str] = &[
    "AFTERCALL_API_KEY",
    "AFTERCALL_DATA_DIR",
    "AFTERCALL_ENV",
    "AFTERCALL_PG_BIN",
    "AFTERCALL_PG_FETCH",
    "AFTERCALL_PG_USER",
    "AFTERCALL_TEST_PG_IDLE",
    "AFTERCALL_URL",
];

/// All errors in the configuration; the process exits with 78 (`EX_CONFIG`).
#[derive(Debug, thiserror::Error)]
#[error("invalid configuration:{}", Bullets(.0))]
pub struct ConfigError(pub Vec<String>);

struct Bullets<'a>(&'a [String]);

impl fmt::Display for Bullets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

/// The effective settings, and for each key its redacted value and its source.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    pub environment: String,
    pub origins: BTreeMap<String, SettingOrigin>,
}

#[derive(Debug, Clone)]
pub struct SettingOrigin {
    /// As shown to people.
    pub value: String,
    pub source: String,
    exact: SecretString,
}

impl Loaded {
    /// The settings that have another value in `other`.
    pub fn changed<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let value = |loaded: &'a Self, key: &String| {
            loaded.origins.get(key).map(|origin| origin.exact.expose_secret())
        };
        let keys = self.origins.keys();
        keys.filter(move |key| value(self, key) != value(other, key)).map(String::as_str)
    }
}

/// The part of the key of an account's setting that follows the account's name.
fn of_account(key: &str) -> Option<&str> {
    let (_, name) = key.strip_prefix("provider.accounts.")?.split_once('.')?;
    OF_ACCOUNT.contains(&name).then_some(name)
}

fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key) || matches!(of_account(key), Some("client_secret" | "jwt"))
}

type Variables = BTreeMap<String, String>;
type Layer = BTreeMap<String, Value>;

/// Loads the settings of the environment named by `AFTERCALL_ENV` (`dev` when unset).
///
/// `file` comes from `--config`; it must exist.
pub fn load(file: Option<&Path>) -> Result<Loaded, ConfigError> {
    from_variables(file, "", &process_variables())
}

/// The same with the defaults of `aftercall demo`.
pub fn load_demo(file: Option<&Path>) -> Result<Loaded, ConfigError> {
    from_variables(file, DEMO, &process_variables())
}

fn process_variables() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn from_variables(
    file: Option<&Path>,
    preset: &str,
    variables: &Variables,
) -> Result<Loaded, ConfigError> {
    let environment = variables.get("AFTERCALL_ENV").map_or("dev", String::as_str).to_owned();
    let mut faults = Vec::new();
    let mut defaults = leaves(&File::from_str(DEFAULTS, FileFormat::Toml), "defaults", &mut faults);
    if environment == "production" {
        defaults.insert("notify.private_networks".to_owned(), Value::from(false));
    }
    let (fallbacks, direct) = from_aliases(variables, &mut faults);

    let preset = leaves(&File::from_str(preset, FileFormat::Toml), "demo", &mut faults);
    let mut layers = vec![preset, fallbacks];
    let of_environment = PathBuf::from(format!("config/{environment}.toml"));
    layers.push(from_file(&of_environment, false, &mut faults));
    if let Some(path) = file {
        layers.push(from_file(path, true, &mut faults));
    }
    layers.push(direct);
    layers.push(from_prefixed(variables, &defaults, &mut faults));

    let mut merged: BTreeMap<String, (Value, String)> = defaults
        .iter()
        .map(|(key, value)| (key.clone(), (value.clone(), DEFAULT.to_owned())))
        .collect();
    for (key, value) in layers.into_iter().flatten() {
        let source = value.origin().unwrap_or("?").to_owned();
        if !defaults.contains_key(&key) && of_account(&key).is_none() {
            faults.push(format!("{source}: unknown setting {key}{}", closest(&key, &defaults)));
        } else if let Err(error) = settings(&defaults, [(&key, &value)]) {
            faults.push(format!("{source}: {key}: {error}"));
        } else {
            merged.insert(key, (value, source));
        }
    }
    let values = merged.iter().map(|(key, (value, _))| (key, value));
    let mut settings = match settings(&defaults, values) {
        Ok(settings) => settings,
        Err(error) => {
            faults.push(error.to_string());
            return Err(ConfigError(faults));
        }
    };
    settings.database.allow_superuser |= environment != "production";
    faults.extend(validate::faults(&settings, &environment));
    if !faults.is_empty() {
        return Err(ConfigError(faults));
    }
    let origins = merged.into_iter().map(|(key, (value, source))| {
        let exact = text(&value);
        let value = shown(&key, &exact);
        (key, SettingOrigin { value, source, exact: exact.into() })
    });
    let origins = origins.collect();
    settings.shown = ShownSettings::new(&environment, &origins);
    Ok(Loaded { settings, environment, origins })
}

/// Builds the settings from `defaults` with `changes` on top.
fn settings<'a>(
    defaults: &'a Layer,
    changes: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Result<Settings, config::ConfigError> {
    let mut builder = Config::builder();
    for (key, value) in defaults.iter().chain(changes) {
        builder = builder.set_override(key, value.clone())?;
    }
    builder.build()?.try_deserialize()
}

fn from_file(path: &Path, required: bool, faults: &mut Vec<String>) -> Layer {
    if !required && !path.exists() {
        return Layer::new();
    }
    let source = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => leaves(&File::from_str(&text, FileFormat::Toml), &source, faults),
        Err(error) => {
            faults.push(format!("{source}: {error}"));
            Layer::new()
        }
    }
}

/// Tables become dotted keys; lists are kept whole.
fn leaves<S>(file: &S, source: &str, faults: &mut Vec<String>) -> Layer
where
    S: config::Source + Send + Sync + 'static,
{
    let mut found = Layer::new();
    match file.collect() {
        Ok(map) => {
            for (key, value) in map {
                flatten(key, value, source, &mut found);
            }
        }
        Err(error) => faults.push(format!("{source}: {error}")),
    }
    found
}

fn flatten(key: String, value: Value, source: &str, found: &mut Layer) {
    match value.kind {
        ValueKind::Table(table) => {
            for (name, inner) in table {
                flatten(format!("{key}.{name}"), inner, source, found);
            }
        }
        kind => {
            found.insert(key, Value::new(Some(&source.to_owned()), kind));
        }
    }
}

/// Fallback aliases and direct aliases, in this order.
fn from_aliases(variables: &Variables, faults: &mut Vec<String>) -> (Layer, Layer) {
    let (mut fallbacks, mut direct) = (Layer::new(), Layer::new());
    for (name, key, is_fallback) in ALIASES {
        if let Some(value) = read_variable(name, key, variables, faults) {
            let layer = if *is_fallback { &mut fallbacks } else { &mut direct };
            layer.insert((*key).to_owned(), value);
        }
    }
    (fallbacks, direct)
}

fn from_prefixed(variables: &Variables, defaults: &Layer, faults: &mut Vec<String>) -> Layer {
    let mut layer = Layer::new();
    for (name, text) in variables {
        let Some(path) = name.strip_prefix("AFTERCALL__") else {
            if name.starts_with("AFTERCALL_") && !OTHERS.contains(&name.as_str()) {
                faults.push(format!(
                    "{name}: variables for settings have two underscores, as in AFTERCALL__API__LISTEN"
                ));
            }
            continue;
        };
        let key = path.to_lowercase().replace("__", ".");
        if let Some(of) = key.strip_suffix("_file").filter(|of| is_secret(of)) {
            let name = name.trim_end_matches("_FILE");
            if let Some(value) = read_variable(name, of, variables, faults) {
                layer.insert(of.to_owned(), value);
            }
            continue;
        }
        let is_list = matches!(defaults.get(&key).map(|v| &v.kind), Some(ValueKind::Array(_)));
        let kind = if is_list {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            ValueKind::Array(items.map(Value::from).collect())
        } else {
            ValueKind::String(text.clone())
        };
        layer.insert(key, Value::new(Some(name), kind));
    }
    layer
}

/// `name`, or, if `key` is a secret, the content of the file that `name` + `_FILE` names.
fn read_variable(
    name: &str,
    key: &str,
    variables: &Variables,
    faults: &mut Vec<String>,
) -> Option<Value> {
    let file_name = format!("{name}_FILE");
    let path = variables.get(&file_name).filter(|_| is_secret(key));
    match (variables.get(name).filter(|text| !text.is_empty()), path) {
        (Some(_), Some(_)) => {
            faults.push(format!("{name} and {file_name} are both set; unset one of them"));
            None
        }
        (Some(text), None) => Some(Value::new(Some(&name.to_owned()), text.as_str())),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']);
                Some(Value::new(Some(&file_name), text))
            }
            Err(error) => {
                faults.push(format!("{file_name}: cannot read {path}: {error}"));
                None
            }
        },
        (None, None) => None,
    }
}

fn closest(key: &str, defaults: &Layer) -> String {
    defaults
        .keys()
        .map(|known| (strsim::jaro_winkler(key, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, known)| format!("; did you mean {known}?"))
        .unwrap_or_default()
}

fn text(value: &Value) -> String {
    match &value.kind {
        ValueKind::Array(items) => {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        _ => value.to_string(),
    }
}

/// The value as shown by `config print`.
fn shown(key: &str, text: &str) -> String {
    if is_secret(key) && !text.is_empty() {
        return "(set, not shown)".to_owned();
    }
    match text.parse::<Url>() {
        Ok(url) if url.has_authority() => shown_url(&url),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
