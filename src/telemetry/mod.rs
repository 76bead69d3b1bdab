//! Logs and traces. Logs are JSON lines, or readable ones in a terminal; traces leave by OTLP if the
//! environment has an endpoint. Neither must contain secrets or content: requests are identified by
//! route, and URLs and bodies appear nowhere.
mod context;
mod export;
mod filter;
mod json;
mod layer;
#[cfg(test)]
mod reference_tests;
mod sampler;
mod traces;

use std::{io::IsTerminal as _, sync::OnceLock};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::Layered, layer::SubscriberExt as _, reload,
    util::SubscriberInitExt as _,
};

pub use self::{
    context::{
        Batch, TraceParent, continue_stored, continue_trace, leave_out, tag, to_pass, to_store,
    },
    export::{ERROR, METHOD, OPERATION, OUTCOME, RESENT, RETRY_REASON, SERVER, STATUS},
    traces::{SetupError, TraceId, Traces, trace_id},
};

use self::{filter::LogFilter, json::JsonLines, layer::TraceLayer};
use crate::config::{self, LogFormat, TracesEnvironment};

/// The filter of the running process.
static FILTER: OnceLock<reload::Handle<EnvFilter, Outputs>> = OnceLock::new();

type Spans = Layered<Option<TraceLayer>, Registry>;
type Outputs = Layered<Box<dyn Layer<Spans> + Send + Sync>, Spans>;

/// Starts logging to standard output. `quiet` is the filter used when `RUST_LOG` is not set.
///
/// # Errors
/// When logging is already initialized.
pub fn init(format: LogFormat, quiet: &str) -> anyhow::Result<()> {
    start(format, quiet, &Traces::default())
}

/// Starts logging, and exporting traces if the environment has an endpoint. Variables that cannot be
/// used are logged and leave traces off: they do not keep the service from its work.
///
/// # Errors
/// When logging is already initialized.
pub async fn init_with_traces(format: LogFormat, quiet: &str) -> anyhow::Result<Traces> {
    // The exporter's HTTP client blocks, and panics on a thread of the runtime.
    let traces = || Traces::start(&TracesEnvironment::read());
    let (traces, fault) = match tokio::task::spawn_blocking(traces).await? {
        Ok(traces) => (traces, None),
        Err(fault) => (Traces::default(), Some(fault)),
    };
    start(format, quiet, &traces)?;
    if let Some(fault) = fault {
        tracing::error!(error = &fault as &dyn std::error::Error, "traces are not exported");
    }
    Ok(traces)
}

fn start(format: LogFormat, quiet: &str, traces: &Traces) -> anyhow::Result<()> {
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
    let filter = LogFilter { asked: filter, has_traces: traces.are_exported() };
    // The last one is asked first.
    let all = tracing_subscriber::registry().with(traces.layer()).with(output).with(filter);
    let started = all.try_init();
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
