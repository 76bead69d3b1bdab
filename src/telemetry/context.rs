//! Traces across processes: which one the current code continues, and which one later code will.
use std::{fmt, time::SystemTime};

use axum::http::HeaderMap;
use opentelemetry::{
    KeyValue, Value,
    trace::{Link, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
};
use tracing::Span;

use super::{
    export::{DELIVERIES, OUTCOME},
    layer,
    traces::{EndedSpan, PIPELINE},
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
/// field. Only for spans that have not taken their place yet.
pub fn continue_trace(span: &Span, parent: Option<&TraceParent>) {
    let parent = parent.map(|TraceParent(parent)| parent);
    let trace = if PIPELINE.get().is_some() {
        let context = layer::place_below(span, parent.cloned());
        // A trace of our own that is not exported is nowhere to be found by its id.
        let context = context.filter(|it| it.is_sampled() || parent.is_some());
        context.map(|context| context.trace_id())
    } else {
        parent.map(SpanContext::trace_id)
    };
    if let Some(trace) = trace {
        span.record("trace_id", tracing::field::display(trace));
    }
}

/// The same, with what is stored with a job.
pub fn continue_stored(span: &Span, stored: Option<&str>) {
    continue_trace(span, stored.and_then(TraceParent::parse).as_ref());
}

/// What to store with a job that the current request creates: its own span, or what the caller sent where no traces are
/// exported, so that replicas that export theirs continue the caller's trace.
pub fn to_store(headers: &HeaderMap) -> Option<String> {
    let parent = match PIPELINE.get() {
        Some(_) => layer::context(&Span::current()).map(TraceParent),
        None => TraceParent::of_request(headers),
    };
    parent.map(|parent| parent.to_string())
}

/// What to send along with a request that belongs to the current span, or else to the stored trace.
pub fn to_pass(stored: Option<&str>) -> Option<String> {
    match PIPELINE.get() {
        Some(_) => layer::context(&Span::current()).map(|context| TraceParent(context).to_string()),
        None => stored.map(str::to_owned),
    }
}

/// Keeps the current span from being exported, unless it has taken its place.
pub fn leave_out() {
    layer::leave_out(&Span::current());
}

/// Adds an attribute to a span in its trace, but not in the log.
pub fn tag(span: &Span, name: &'static str, value: impl Into<Value>) {
    if PIPELINE.get().is_some() {
        layer::tag(span, KeyValue::new(name, value));
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
        PIPELINE.get().map(|_| Self { started: SystemTime::now() })
    }

    /// Adds a span `commit` to each member's trace. Of several, the spans are linked to one for the whole, `ingest`, and
    /// that one to all of them.
    pub fn end<'a>(self, members: impl Iterator<Item = (&'a Span, &'static str)>) {
        let Some(pipeline) = PIPELINE.get() else { return };
        let sampled = |(span, outcome): (&Span, _)| {
            layer::context(span).filter(SpanContext::is_sampled).map(|context| (context, outcome))
        };
        let members: Vec<_> = members.filter_map(sampled).collect();
        if members.is_empty() {
            return;
        }
        let Self { started } = self;
        let ended = SystemTime::now();
        let end = |name, parent: Option<&SpanContext>, attributes, links| {
            let context = pipeline.begin(parent, name, &[]);
            let parent = parent.cloned();
            if context.is_sampled() {
                let context = context.clone();
                pipeline.end(EndedSpan {
                    name,
                    context,
                    parent,
                    started,
                    ended,
                    attributes,
                    links,
                });
            }
            context
        };
        let whole = (members.len() > 1).then(|| {
            let links = members.iter().map(|(member, _)| link(member.clone()));
            let deliveries = i64::try_from(members.len()).unwrap_or(i64::MAX);
            end("ingest", None, vec![KeyValue::new(DELIVERIES, deliveries)], links.collect())
        });
        let whole = whole.filter(SpanContext::is_sampled);
        for (member, outcome) in &members {
            let links = whole.iter().cloned().map(link).collect();
            end("commit", Some(member), vec![KeyValue::new(OUTCOME, *outcome)], links);
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
