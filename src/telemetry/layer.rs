//! Turns spans of `tracing` into spans of traces: those that are exported, with the fields that may leave the process.
use std::{fmt, time::SystemTime};

use opentelemetry::{KeyValue, Value, trace::SpanContext};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::Context as LayerContext,
    registry::{LookupSpan, SpanRef},
};

use super::{
    export,
    traces::{EndedSpan, PIPELINE, Pipeline},
};

pub(super) struct TraceLayer(pub &'static Pipeline);

/// What a span of `tracing` is in its trace.
#[derive(Debug)]
struct Traced {
    name: &'static str,
    started: SystemTime,
    place: Place,
    attributes: Vec<KeyValue>,
}

/// A span takes its place in a trace when somebody asks for it, or when it ends.
#[derive(Debug)]
enum Place {
    /// Below this one, or the first of a new trace.
    Free(Option<SpanContext>),
    Taken {
        context: SpanContext,
        parent: Option<SpanContext>,
    },
    /// In no trace: it is not exported.
    LeftOut,
}

impl Traced {
    /// Takes its place.
    fn context(&mut self, pipeline: &Pipeline) -> Option<&SpanContext> {
        if let Place::Free(parent) = &mut self.place {
            let parent = parent.take();
            let context = pipeline.begin(parent.as_ref(), self.name, &self.attributes);
            self.place = Place::Taken { context, parent };
        }
        match &self.place {
            Place::Taken { context, .. } => Some(context),
            _ => None,
        }
    }

    /// Gives it another place, unless it has taken one.
    fn set_place(&mut self, place: Place) {
        if matches!(self.place, Place::Free(_)) {
            self.place = place;
        }
    }

    fn may_be_exported(&self) -> bool {
        match &self.place {
            Place::Free(_) => true,
            Place::Taken { context, .. } => context.is_sampled(),
            Place::LeftOut => false,
        }
    }

    fn end(mut self, pipeline: &Pipeline) {
        self.context(pipeline);
        let Self { name, started, place, attributes } = self;
        if let Place::Taken { context, parent } = place
            && context.is_sampled()
        {
            let (ended, links) = (SystemTime::now(), Vec::new());
            pipeline.end(EndedSpan { name, context, parent, started, ended, attributes, links });
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, fields: &Attributes<'_>, id: &Id, context: LayerContext<'_, S>) {
        let metadata = fields.metadata();
        let Some(span) = context.span(id).filter(|_| export::is_exported(metadata)) else { return };
        let parent = span.parent().and_then(|parent| {
            parent.scope().find_map(|span| in_trace(&span, |it| it.context(self.0).cloned()))
        });
        let place = match parent {
            Some(Some(parent)) => Place::Free(Some(parent)),
            Some(None) => Place::LeftOut,
            None => Place::Free(None),
        };
        // Of the fields that a request has, and the tags that it gets.
        let mut attributes = Vec::with_capacity(8);
        fields.record(&mut Allowed(&mut attributes));
        let traced =
            Traced { name: metadata.name(), started: SystemTime::now(), place, attributes };
        span.extensions_mut().insert(traced);
    }

    fn on_record(&self, id: &Id, fields: &Record<'_>, context: LayerContext<'_, S>) {
        let Some(span) = context.span(id) else { return };
        in_trace(&span, |it| {
            if it.may_be_exported() {
                fields.record(&mut Allowed(&mut it.attributes));
            }
        });
    }

    fn on_close(&self, id: Id, context: LayerContext<'_, S>) {
        let traced = context.span(&id).and_then(|span| span.extensions_mut().remove::<Traced>());
        if let Some(traced) = traced {
            traced.end(self.0);
        }
    }
}

fn in_trace<'a, S: LookupSpan<'a>, T>(
    span: &SpanRef<'a, S>,
    then: impl FnOnce(&mut Traced) -> T,
) -> Option<T> {
    span.extensions_mut().get_mut().map(then)
}

fn of_span<T>(span: &tracing::Span, then: impl FnOnce(&mut Traced) -> T) -> Option<T> {
    let found = span.with_subscriber(|(id, subscriber)| {
        in_trace(&subscriber.downcast_ref::<Registry>()?.span(id)?, then)
    });
    found.flatten()
}

/// The place of the span in its trace, if it is in one. From now on it keeps it.
pub(super) fn context(span: &tracing::Span) -> Option<SpanContext> {
    let pipeline = PIPELINE.get()?;
    of_span(span, |it| it.context(pipeline).cloned()).flatten()
}

/// Gives the span a parent, or makes it the first of a new trace, unless it has taken its place; then the same as
/// [`context`].
pub(super) fn place_below(
    span: &tracing::Span,
    parent: Option<SpanContext>,
) -> Option<SpanContext> {
    let pipeline = PIPELINE.get()?;
    let place = |it: &mut Traced| {
        it.set_place(Place::Free(parent));
        it.context(pipeline).cloned()
    };
    of_span(span, place).flatten()
}

/// Keeps the span from being exported, unless it has taken its place.
pub(super) fn leave_out(span: &tracing::Span) {
    of_span(span, |it| it.set_place(Place::LeftOut));
}

pub(super) fn tag(span: &tracing::Span, attribute: KeyValue) {
    of_span(span, |it| {
        if it.may_be_exported() {
            it.attributes.push(attribute);
        }
    });
}

/// Collects the fields that are exported, under their public names.
struct Allowed<'a>(&'a mut Vec<KeyValue>);

impl Allowed<'_> {
    fn add(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        if let Some(name) = export::attribute(field.name()) {
            self.0.push(KeyValue::new(name, value()));
        }
    }
}

impl Visit for Allowed<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, || value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, || value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, || i64::try_from(value).unwrap_or(i64::MAX).into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, || value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, || value.to_owned().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, || format!("{value:?}").into());
    }
}
