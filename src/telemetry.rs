//! Logs: JSON lines, or readable ones in a terminal. What they must never hold, nobody puts in:
//! requests are named by their route, URLs and bodies are not logged.
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging to standard output. `quiet`: what is logged when `RUST_LOG` says nothing.
///
/// # Errors
/// When logging was started before.
pub fn init(format: LogFormat, quiet: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(quiet));
    let is_pretty = match format {
        LogFormat::Json => false,
        LogFormat::Pretty => true,
        LogFormat::Auto => std::io::stdout().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let started = if is_pretty {
        builder.compact().try_init()
    } else {
        builder.json().flatten_event(true).with_span_list(false).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
