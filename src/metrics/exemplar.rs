//! Histograms that keep, for each bucket, the trace of the last observation.
use prometheus_client::{encoding::EncodeLabelSet, metrics::exemplar::HistogramWithExemplars};

use crate::telemetry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TraceLabels {
    trace_id: String,
}

pub type TracedHistogram = HistogramWithExemplars<TraceLabels>;

/// Observes with the current trace, if it is exported.
pub fn observe(histogram: &TracedHistogram, value: f64) {
    let trace = telemetry::trace_id().map(|id| TraceLabels { trace_id: id.to_string() });
    histogram.observe(value, trace, None);
}
