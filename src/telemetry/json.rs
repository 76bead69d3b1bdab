//! Writes one JSON object per line: `ts`, `level`, `msg` and `target`, then the fields of the enclosing spans,
//! outermost first, then the event's own. Names are flat; with equal names the innermost value wins.
use std::{
    fmt::Write as _,
    io::Write,
    iter::once,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    fmt::{
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::Context,
    registry::{LookupSpan, Scope, SpanRef},
};

/// The layer that writes the lines.
pub struct JsonLines<W> {
    output: Mutex<W>,
}

/// Fields of a span, stored with it, or of an event. There are few, so a list is faster than a map.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.0.push((name, value)),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }
}

impl<W: Write + Send + 'static> JsonLines<W> {
    pub fn new(output: W) -> Self {
        Self { output: Mutex::new(output) }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + Send + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut own = Fields::default();
        event.record(&mut own);
        let message = own.0.iter().position(|(name, _)| *name == "message");
        let message = message.map(|at| own.0.remove(at).1).unwrap_or_default();
        let first = Fields(vec![
            ("ts", now().into()),
            ("level", metadata.level().as_str().to_ascii_lowercase().into()),
            ("msg", message),
            ("target", metadata.target().into()),
        ]);
        let scope = context.event_scope(event).into_iter().flat_map(Scope::from_root);
        let spans: Vec<_> = scope.collect();
        let kept: Vec<_> = spans.iter().map(SpanRef::extensions).collect();
        let of_spans = kept.iter().filter_map(|extensions| extensions.get::<Fields>());
        let all: Vec<&Fields> = once(&first).chain(of_spans).chain(once(&own)).collect();
        let text = line(&all);
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that no one can read any more is no reason to stop.
        let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    }
}

/// The fields, outermost first; with equal names only the innermost.
fn line(all: &[&Fields]) -> String {
    let mut text = String::from("{");
    for (depth, fields) in all.iter().enumerate() {
        for (name, value) in &fields.0 {
            if all[depth + 1..].iter().any(|inner| inner.has(name)) {
                continue;
            }
            let comma = if text.len() > 1 { "," } else { "" };
            // Writing to memory cannot fail; field names are identifiers.
            let _ = write!(text, "{comma}\"{name}\":{value}");
        }
    }
    text.push_str("}\n");
    text
}

fn now() -> String {
    let mut text = String::new();
    // Writing to memory cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    /// The error with its causes, outermost first.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}"); // into memory
            cause = error.source();
        }
        self.set(field.name(), text.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let output = Shared::default();
        let subscriber = tracing_subscriber::registry().with(JsonLines::new(output.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = output.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn fields_of_spans_and_event_lie_flat_side_by_side() {
        let lines = lines(|| {
            let span = tracing::info_span!("request", route = "/a", caller = tracing::field::Empty);
            span.record("caller", "crm");
            let _inside = span.enter();
            let inner = tracing::info_span!("step", route = "/b");
            inner.in_scope(|| tracing::warn!(status = 200_u16, "two\nlines and a \"quote\""));
        });
        let line = lines[0].as_object().unwrap();
        let names: Vec<_> = line.keys().map(String::as_str).collect();
        assert_eq!(names, ["ts", "level", "msg", "target", "caller", "route", "status"]);
        assert_eq!(line["level"], "warn");
        assert_eq!(line["msg"], "two\nlines and a \"quote\"");
        assert_eq!(line["route"], "/b", "the innermost wins");
        assert_eq!(line["caller"], "crm");
        assert_eq!(line["status"], 200);
        assert!(line["ts"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let lines = lines(|| {
            let error = Outer(std::io::Error::other("inner"));
            tracing::error!(error = &error as &dyn std::error::Error);
        });
        assert_eq!(lines[0]["error"], "outer: inner");
        assert_eq!(lines[0]["msg"], Value::Null);
    }
}
