//! Traces across processes: which one the current code continues, and which one later code will.
use std::{fmt, time::SystemTime};

use axum::http::HeaderMap;
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{
        Link, Span as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId,
        TraceState, Tracer as _,
    },
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    export::{DELIVERIES, OUTCOME},
    traces::TRACER,
};

/// A trace that began elsewhere, and the span in it that comes next before ours.
///
/// A W3C `traceparent` without its `tracestate`, which may contain anything, and which whoever passes a trace on may
/// drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(SpanContext);

impl TraceParent {
    /// `None` if the header is missing, given twice, or malformed.
    pub fn of_request(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all("traceparent").iter();
        let only = given.next().filter(|_| given.next().is_none())?;
        Self::parse(only.to_str().ok()?.trim_matches([' ', '\t']))
    }

    /// Versions above 00 may have more fields, which are ignored. Source: W3C Trace Context, 3.2.
    pub fn parse(text: &str) -> Option<Self> {
        let version = text.get(..2).filter(|version| is_hex(version) && *version != "ff")?;
        let (known, rest) = text.split_at_checked(55)?;
        let is_whole = rest.is_empty() || (version != "00" && rest.starts_with('-'));
        let fields: Vec<&str> = known.split('-').collect();
        let [_, trace, span, flags] = fields[..] else { return None };
        let lengths = [trace, span, flags].map(str::len);
        if !is_whole || lengths != [32, 16, 2] || ![trace, span, flags].into_iter().all(is_hex) {
            return None;
        }
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
        context.is_valid().then_some(Self(context))
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(context) = self;
        let flags = context.trace_flags() & TraceFlags::SAMPLED;
        write!(f, "00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
    }
}

/// Lowercase hexadecimal digits.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Makes `span` a part of that trace, or the first of a new one, and notes its `trace_id` for the log if it has such a
/// field. Only for spans of which nobody has read the context yet.
pub fn continue_trace(span: &Span, parent: Option<&TraceParent>) {
    if TRACER.get().is_none() {
        if let Some(TraceParent(parent)) = parent {
            span.record("trace_id", tracing::field::display(parent.trace_id()));
        }
        return;
    }
    let parent = parent.map_or_else(Context::new, |TraceParent(parent)| {
        Context::new().with_remote_span_context(parent.clone())
    });
    // Fails for a span that the log's filter has disabled, or that has begun: it stays in its own trace.
    let _ = span.set_parent(parent);
    let context = span.context();
    let id = context.span().span_context().trace_id();
    if id != TraceId::INVALID {
        span.record("trace_id", tracing::field::display(id));
    }
}

/// The same, with what is stored with a job.
pub fn continue_stored(span: &Span, stored: Option<&str>) {
    continue_trace(span, stored.and_then(TraceParent::parse).as_ref());
}

/// What to store with a job that the current request creates: its own span, or what the caller sent where no traces are
/// exported, so that replicas that export theirs continue the caller's trace.
pub fn to_store(headers: &HeaderMap) -> Option<String> {
    let parent = if TRACER.get().is_some() {
        let context = Span::current().context();
        let span = context.span();
        Some(TraceParent(span.span_context().clone())).filter(|parent| parent.0.is_valid())
    } else {
        TraceParent::of_request(headers)
    };
    parent.map(|parent| parent.to_string())
}

/// Keeps the current span from being exported, unless its context has been read.
pub fn leave_out() {
    if TRACER.get().is_some() {
        let (trace, span) =
            (TraceId::from(rand::random::<u128>()), SpanId::from(rand::random::<u64>()));
        let unsampled =
            SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, TraceState::NONE);
        let _ = Span::current().set_parent(Context::new().with_remote_span_context(unsampled));
    }
}

/// Adds an attribute to a span in its trace, but not in the log.
pub fn tag(span: &Span, name: &'static str, value: impl Into<Value>) {
    if TRACER.get().is_some() {
        span.set_attribute(name, value);
    }
}

/// Work that is done for many at once, each with a trace of its own.
#[derive(Debug)]
pub struct Batch {
    started: SystemTime,
}

impl Batch {
    /// `None` while no traces are exported.
    pub fn begin() -> Option<Self> {
        TRACER.get().map(|_| Self { started: SystemTime::now() })
    }

    /// Adds a span `commit` to each member's trace. Of several, the spans are linked to one for the whole, `ingest`, and
    /// that one to all of them.
    pub fn end<'a>(self, members: impl Iterator<Item = (&'a Span, &'static str)>) {
        let Some(tracer) = TRACER.get() else { return };
        let sampled = |(span, outcome): (&Span, _)| {
            let context = span.context();
            context.span().span_context().is_sampled().then_some((context, outcome))
        };
        let members: Vec<_> = members.filter_map(sampled).collect();
        if members.is_empty() {
            return;
        }
        let (ended, deliveries) =
            (SystemTime::now(), i64::try_from(members.len()).unwrap_or(i64::MAX));
        let span = |name, parent: &Context, attributes: Vec<KeyValue>, links: Vec<Link>| {
            let builder = tracer
                .span_builder(name)
                .with_start_time(self.started)
                .with_attributes(attributes)
                .with_links(links);
            let mut span = builder.start_with_context(tracer, parent);
            span.end_with_timestamp(ended);
            span.span_context().clone()
        };
        let whole = (members.len() > 1).then(|| {
            let links =
                members.iter().map(|(member, _)| link(member.span().span_context().clone()));
            let attributes = vec![KeyValue::new(DELIVERIES, deliveries)];
            span("ingest", &Context::new(), attributes, links.collect())
        });
        let whole = whole.filter(SpanContext::is_sampled);
        for (member, outcome) in &members {
            let links = whole.iter().cloned().map(link).collect();
            span("commit", member, vec![KeyValue::new(OUTCOME, *outcome)], links);
        }
    }
}

fn link(context: SpanContext) -> Link {
    Link::new(context, Vec::new(), 0)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn reread(text: &str) -> Option<String> {
        TraceParent::parse(text).map(|parent| parent.to_string())
    }

    #[test]
    fn a_traceparent_is_kept_as_given() {
        assert_eq!(reread(GIVEN).as_deref(), Some(GIVEN));
        let unsampled = GIVEN.replace("-01", "-00");
        assert_eq!(reread(&unsampled), Some(unsampled));
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        let later = format!("{}-more", GIVEN.replacen("00-", "cc-", 1).replace("-01", "-ff"));
        assert_eq!(reread(&later).as_deref(), Some(GIVEN));
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let zero_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let cases = [
            "",
            "00",
            "é0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-é",
            zero_trace,
            zero_span,
            &GIVEN.to_uppercase(),
            &GIVEN.replacen("00-", "ff-", 1),
            &GIVEN[..54],
            &format!("{GIVEN}-more"),
            &format!("{GIVEN}0"),
            &GIVEN.replace('-', "_"),
            &GIVEN.replacen("0af", "+af", 1),
        ];
        for case in cases {
            assert_eq!(reread(case), None, "{case}");
        }
    }

    #[test]
    fn two_headers_say_nothing() {
        let mut headers = HeaderMap::new();
        assert_eq!(TraceParent::of_request(&headers), None);
        headers.append("traceparent", HeaderValue::from_static(GIVEN));
        assert!(TraceParent::of_request(&headers).is_some());
        headers.append("traceparent", HeaderValue::from_static(GIVEN));
        assert_eq!(TraceParent::of_request(&headers), None);
    }
}
