//! Registers metrics under the names with which they are exposed, and remembers what the reference page says of them.
use prometheus_client::{
    collector::Collector,
    metrics::MetricType,
    registry::{Metric, Registry, Unit},
};

/// A metric as the reference page lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// As exposed, with unit and `_total`.
    pub name: &'static str,
    pub kind: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
    /// Whether it is the sampled state of the whole service.
    pub is_sampled: bool,
}

impl Described {
    /// `seconds`, `bytes`, or nothing.
    pub fn unit(&self) -> &'static str {
        parts(self.name)
            .1
            .map_or("", |unit| if unit == Unit::Seconds { "seconds" } else { "bytes" })
    }
}

#[derive(Default)]
pub struct Book {
    registry: Registry,
    described: Vec<Described>,
}

impl Book {
    /// `name`: as exposed; the registry appends the unit and `_total` by itself.
    pub fn add(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: impl Metric,
    ) {
        let kind = match metric.metric_type() {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Info => "info",
            MetricType::Unknown => "unknown",
        };
        self.described.push(Described { name, kind, labels, help, is_sampled: false });
        let (base, unit) = parts(name);
        match unit {
            Some(unit) => self.registry.register_with_unit(base, help, unit, metric),
            None => self.registry.register(base, help, metric),
        }
    }

    /// A collector that writes these metrics.
    pub fn collect(&mut self, described: Vec<Described>, collector: impl Collector) {
        self.described.extend(described);
        self.registry.register_collector(Box::new(collector));
    }

    pub fn close(mut self) -> (Registry, Vec<Described>) {
        self.described.sort();
        (self.registry, self.described)
    }
}

/// The name without the suffixes that encoding appends, and the unit.
pub fn parts(name: &'static str) -> (&'static str, Option<Unit>) {
    let name = name.strip_suffix("_total").or_else(|| name.strip_suffix("_info")).unwrap_or(name);
    for (suffix, unit) in [("_seconds", Unit::Seconds), ("_bytes", Unit::Bytes)] {
        if let Some(base) = name.strip_suffix(suffix) {
            return (base, Some(unit));
        }
    }
    (name, None)
}

/// As the registry writes it.
pub fn sentence(help: &str) -> String {
    format!("{help}.")
}

/// A gauge that a collector writes.
pub const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described { name, kind: "gauge", labels, help, is_sampled: false }
}
