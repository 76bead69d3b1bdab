//! Logs: JSON lines, or readable ones in a terminal. Code must never log secrets or content:
//! requests are identified by route, and URLs and bodies are not logged.
mod json;
#[cfg(test)]
mod reference_tests;

use std::{io::IsTerminal as _, sync::OnceLock};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::filter_fn, layer::SubscriberExt as _, reload,
    util::SubscriberInitExt as _,
};

use self::json::JsonLines;
use crate::config::{self, LogFormat};

/// Highest verbosity of other crates, whatever `RUST_LOG` says: beyond it, HTTP clients and
/// database drivers log URLs, headers and statements.
const MOST_OF_OTHERS: Level = Level::INFO;

/// The filter of the running process.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging to standard output. `quiet` is the filter used when `RUST_LOG` is not set.
///
/// # Errors
/// When logging is already initialized.
pub fn init(format: LogFormat, quiet: &str) -> anyhow::Result<()> {
    let asked = config::log_filter();
    let filter = EnvFilter::new(asked.as_deref().unwrap_or(quiet));
    let (filter, handle) = reload::Layer::new(filter);
    let is_pretty = match format {
        LogFormat::Json => false,
        LogFormat::Pretty => true,
        LogFormat::Auto => std::io::stdout().is_terminal(),
    };
    let output = if is_pretty {
        tracing_subscriber::fmt::layer().compact().boxed()
    } else {
        JsonLines::new(std::io::stdout()).boxed()
    };
    let discreet = filter_fn(is_discreet);
    let started =
        tracing_subscriber::registry().with(filter).with(discreet).with(output).try_init();
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))?;
    let _ = FILTER.set(handle); // logging starts once
    Ok(())
}

/// Replaces the filter. Returns whether it applies: `RUST_LOG`, which a running process cannot change, takes
/// precedence.
///
/// # Errors
/// When `filter` cannot be parsed.
pub fn set_filter(filter: &str) -> anyhow::Result<bool> {
    let filter = EnvFilter::try_new(filter)?;
    if config::log_filter().is_some() {
        return Ok(false);
    }
    if let Some(handle) = FILTER.get() {
        handle.reload(filter)?;
    }
    Ok(true)
}

/// Crates whose errors are reported by their caller: a recording that `symphonia` cannot read is
/// rejected, which is not an error of ours.
const SILENT: &str = "symphonia";

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let is_ours = target.starts_with(env!("CARGO_PKG_NAME"));
    is_ours || (*metadata.level() <= MOST_OF_OTHERS && !target.starts_with(SILENT))
}
