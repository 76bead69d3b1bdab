//! One JSON object a line: `ts`, `level`, `msg` and `target`, then the fields of the spans around the
//! event, outermost first, then its own. All names are flat; the innermost value of a name wins.
use std::{
    fmt::Write as _,
    io::Write,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};
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
    registry::{LookupSpan, Scope},
};

/// The layer that writes the lines.
pub struct JsonLines<W> {
    output: Mutex<W>,
}

/// Fields of a span, kept with it.
#[derive(Default)]
struct Fields(Map<String, Value>);

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
        let message = own.0.shift_remove("message").unwrap_or_default();
        let mut line = Map::new();
        line.insert("ts".to_owned(), now().into());
        line.insert("level".to_owned(), metadata.level().as_str().to_ascii_lowercase().into());
        line.insert("msg".to_owned(), message);
        line.insert("target".to_owned(), metadata.target().into());
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.extend(fields.0.clone());
            }
        }
        line.extend(own.0);
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that nobody can read any more is no reason to stop.
        let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    }
}

fn now() -> String {
    let mut text = String::new();
    // Writing to memory does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    /// With what caused it, outermost first.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}"); // into memory
            cause = error.source();
        }
        self.0.insert(field.name().to_owned(), text.into());
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
        assert_eq!(names, ["ts", "level", "msg", "target", "route", "caller", "status"]);
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
