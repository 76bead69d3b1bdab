//! Which traces are exported.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::export::METHOD;
use crate::config::TracesEnvironment;

/// The share of reads that is exported unless the environment has a sampler. There are many more of them than of jobs, and
/// one is like the other.
const READS: f64 = 0.1;

/// Traces that this process begins per second unless the environment has a sampler. Many more would overflow the queue of
/// the exporter, which drops spans from the middle of traces; and the exporter's work would slow down the service when it
/// has most to do.
const MOST_PER_SECOND: u32 = 100;

#[derive(Debug, thiserror::Error)]
pub enum SamplerError {
    #[error(
        "OTEL_TRACES_SAMPLER must be one of always_on, always_off, traceidratio, parentbased_always_on, \
         parentbased_always_off and parentbased_traceidratio"
    )]
    Name,
    #[error("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1")]
    Argument,
}

/// The sampler of the standard variables, or else [`JobsFirst`] for spans without a parent.
pub fn sampler(environment: &TracesEnvironment) -> Result<Box<dyn ShouldSample>, SamplerError> {
    let ratio = || match environment.sampler_arg.as_deref().map(str::parse) {
        None => Ok(Sampler::TraceIdRatioBased(1.0)),
        Some(Ok(ratio @ 0.0..=1.0)) => Ok(Sampler::TraceIdRatioBased(ratio)),
        Some(_) => Err(SamplerError::Argument),
    };
    let below = |root: Sampler| Sampler::ParentBased(Box::new(root));
    let sampler = match environment.sampler.as_deref() {
        None => Sampler::ParentBased(Box::new(JobsFirst::default())),
        Some("always_on") => Sampler::AlwaysOn,
        Some("always_off") => Sampler::AlwaysOff,
        Some("traceidratio") => ratio()?,
        Some("parentbased_always_on") => below(Sampler::AlwaysOn),
        Some("parentbased_always_off") => below(Sampler::AlwaysOff),
        Some("parentbased_traceidratio") => below(ratio()?),
        Some(_) => return Err(SamplerError::Name),
    };
    Ok(Box::new(sampler))
}

/// Samples everything but reads, and of these a share; of both, not more than [`MOST_PER_SECOND`].
#[derive(Debug, Clone, Default)]
struct JobsFirst(Arc<PerSecond>);

impl ShouldSample for JobsFirst {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_read = attributes.iter().any(|attribute| {
            attribute.key.as_str() == METHOD
                && matches!(attribute.value.as_str().as_ref(), "GET" | "HEAD")
        });
        let sampler = if is_read { Sampler::TraceIdRatioBased(READS) } else { Sampler::AlwaysOn };
        let mut result = sampler.should_sample(parent, trace, name, kind, attributes, links);
        if result.decision == SamplingDecision::RecordAndSample && !self.0.take() {
            result.decision = SamplingDecision::Drop;
        }
        result
    }
}

/// Counts within each second.
#[derive(Debug)]
struct PerSecond {
    since: Instant,
    /// The second in the upper half, and how many were taken in it in the lower.
    taken: AtomicU64,
}

impl Default for PerSecond {
    fn default() -> Self {
        Self { since: Instant::now(), taken: AtomicU64::new(0) }
    }
}

impl PerSecond {
    fn take(&self) -> bool {
        self.take_at(self.since.elapsed().as_secs())
    }

    /// Whether one more may be taken in that second.
    fn take_at(&self, second: u64) -> bool {
        let next = |taken: u64| {
            if taken >> 32 != second {
                return Some(second << 32 | 1);
            }
            (taken & u64::from(u32::MAX) < u64::from(MOST_PER_SECOND)).then_some(taken + 1)
        };
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceState};

    use super::*;

    /// Ids below and above a tenth of all.
    const FEW: u64 = 1 << 60;
    const MANY: u64 = 1 << 62;

    fn is_sampled(
        names: (&str, &str),
        parent: Option<bool>,
        method: &'static str,
        id: u64,
    ) -> bool {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (sampler_name, sampler_arg) = (given(names.0), given(names.1));
        let environment = TracesEnvironment {
            sampler: sampler_name,
            sampler_arg,
            ..TracesEnvironment::default()
        };
        let trace = TraceId::from(u128::from(id));
        let parent = parent.map(|is_sampled| {
            let flags = TraceFlags::NOT_SAMPLED.with_sampled(is_sampled);
            let span = SpanContext::new(trace, SpanId::from(1), flags, true, TraceState::NONE);
            Context::new().with_remote_span_context(span)
        });
        let attributes = [KeyValue::new(METHOD, method)];
        let kind = SpanKind::Server;
        let sampler = sampler(&environment).unwrap();
        let result =
            sampler.should_sample(parent.as_ref(), trace, "request", &kind, &attributes, &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn every_job_and_a_tenth_of_the_reads() {
        let none = ("", "");
        assert!(is_sampled(none, None, "POST", MANY));
        assert!(is_sampled(none, None, "GET", FEW));
        assert!(!is_sampled(none, None, "GET", MANY));
        assert!(!is_sampled(none, None, "HEAD", MANY));
    }

    #[test]
    fn each_second_has_room_for_some() {
        let (per_second, most) = (PerSecond::default(), MOST_PER_SECOND as usize);
        let taken = |second| (0..most + 10).filter(|_| per_second.take_at(second)).count();
        assert_eq!([taken(0), taken(0), taken(7)], [most, 0, most]);
    }

    #[test]
    fn of_many_traces_in_a_moment_some_are_exported() {
        let sampler = sampler(&TracesEnvironment::default()).unwrap();
        let is_sampled = |number: u64| {
            let trace = TraceId::from(u128::from(number));
            let result = sampler.should_sample(None, trace, "request", &SpanKind::Server, &[], &[]);
            result.decision == SamplingDecision::RecordAndSample
        };
        let asked = 100 * u64::from(MOST_PER_SECOND);
        let begun = (1..=asked).filter(|number| is_sampled(*number)).count() as u64;
        // A second may end meanwhile.
        assert!((u64::from(MOST_PER_SECOND)..asked / 2).contains(&begun), "{begun}");
    }

    #[test]
    fn callers_decide_for_their_traces() {
        assert!(is_sampled(("", ""), Some(true), "GET", MANY));
        assert!(!is_sampled(("", ""), Some(false), "POST", FEW));
    }

    #[test]
    fn the_standard_variables_apply() {
        assert!(is_sampled(("always_on", ""), Some(false), "GET", MANY));
        assert!(!is_sampled(("always_off", ""), Some(true), "POST", FEW));
        assert!(is_sampled(("parentbased_always_on", ""), None, "GET", MANY));
        assert!(!is_sampled(("parentbased_always_off", ""), None, "POST", FEW));
        let tenth = ("parentbased_traceidratio", "0.1");
        assert!(is_sampled(tenth, None, "POST", FEW) && !is_sampled(tenth, None, "POST", MANY));
        assert!(is_sampled(("traceidratio", ""), None, "GET", MANY));
    }

    #[test]
    fn what_the_variables_must_be() {
        let error = |name: &str, argument: &str| {
            let given = |text: &str| Some(text.to_owned());
            let environment = TracesEnvironment {
                sampler: given(name),
                sampler_arg: given(argument),
                ..TracesEnvironment::default()
            };
            sampler(&environment).unwrap_err()
        };
        assert!(matches!(error("xray", "1"), SamplerError::Name));
        for argument in ["2", "-0.1", "NaN", "half"] {
            assert!(
                matches!(error("traceidratio", argument), SamplerError::Argument),
                "{argument}"
            );
        }
    }
}
