//! What reaches the log and the traces.
use tracing::{
    Level, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{Layer, layer::Context};

use super::export::is_exported;

/// Highest verbosity of other crates, whatever `RUST_LOG` says: beyond it, HTTP clients and
/// database drivers log URLs, headers and statements.
const MOST_OF_OTHERS: Level = Level::INFO;
/// Crates whose errors are reported by their caller: a recording that `symphonia` cannot read is
/// rejected, which is not an error of ours.
const SILENT: &str = "symphonia";
const OURS: &str = env!("CARGO_PKG_NAME");

/// Lets through what `RUST_LOG` asks for, as far as it is discreet, and the spans that are exported, whatever it asks
/// for.
///
/// A filter of the whole subscriber rather than of the log's layer: those of layers lose the line that follows a mere
/// question whether a level is enabled, as the database driver asks all the time.
pub struct LogFilter<L> {
    pub asked: L,
    pub has_traces: bool,
}

impl<L> LogFilter<L> {
    fn is_for_traces(&self, metadata: &Metadata<'_>) -> bool {
        self.has_traces && is_exported(metadata)
    }
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for LogFilter<L> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let asked = self.asked.register_callsite(metadata);
        if self.is_for_traces(metadata) {
            Interest::always()
        } else if is_discreet(metadata) {
            asked
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.is_for_traces(metadata)
            || (is_discreet(metadata) && self.asked.enabled(metadata, context))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let asked = self.asked.max_level_hint()?;
        Some(if self.has_traces { asked.max(LevelFilter::INFO) } else { asked })
    }

    // For directives about spans and their fields.

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.asked.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.asked.on_record(id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.asked.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.asked.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.asked.on_close(id, context);
    }
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let is_ours = target.starts_with(OURS);
    is_ours || (*metadata.level() <= MOST_OF_OTHERS && !target.starts_with(SILENT))
}
