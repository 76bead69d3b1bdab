//! The results as a table for people and as JSON for machines.
use std::time::Duration;

use serde::Serialize;

use super::load::Run;

/// The limit that a figure must meet.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Budget {
    AtLeast(f64),
    AtMost(f64),
    /// Informative only.
    None,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub what: String,
    /// Calls per second, or the figure itself.
    pub measured: f64,
    pub unit: &'static str,
    pub compared_with: String,
    pub compared: Option<f64>,
    /// The value the budget applies to: the ratio, or the figure itself.
    pub value: f64,
    pub budget: Budget,
    pub met: bool,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// CPU time per call in microseconds, of the service and of Postgres.
    pub service_us: Option<f64>,
    pub postgres_us: Option<f64>,
}

impl Line {
    /// A figure with its own budget.
    pub fn figure(what: impl Into<String>, value: f64, unit: &'static str, budget: Budget) -> Self {
        let met = match budget {
            Budget::AtLeast(least) => value >= least,
            Budget::AtMost(most) => value <= most,
            Budget::None => true,
        };
        Self {
            what: what.into(),
            measured: value,
            unit,
            compared_with: String::new(),
            compared: None,
            value,
            budget,
            met,
            p50_ms: None,
            p99_ms: None,
            service_us: None,
            postgres_us: None,
        }
    }

    /// A throughput compared with another; the budget applies to the ratio.
    pub fn ratio(
        what: impl Into<String>,
        measured: &Sample,
        with: impl Into<String>,
        compared: f64,
        budget: Budget,
    ) -> Self {
        let line = Self::figure(what, measured.per_second / compared, "/s", budget);
        Self { compared_with: with.into(), compared: Some(compared), ..line }.sampled(measured)
    }

    /// A throughput without a budget.
    pub fn rate(what: impl Into<String>, measured: &Sample) -> Self {
        Self::figure(what, measured.per_second, "/s", Budget::None).sampled(measured)
    }

    fn sampled(self, measured: &Sample) -> Self {
        Self {
            measured: measured.per_second,
            p50_ms: Some(measured.p50_ms),
            p99_ms: Some(measured.p99_ms),
            service_us: Some(measured.service_us),
            postgres_us: Some(measured.postgres_us),
            ..self
        }
    }

    /// The latency at a fixed rate; the budget applies to its 99th percentile.
    pub fn latency(what: impl Into<String>, run: &Run, most_ms: f64) -> Self {
        let p99 = run.percentile(99);
        let line = Self::figure(what, p99, "/s", Budget::AtMost(most_ms));
        Self {
            measured: run.per_second,
            p50_ms: Some(run.percentile(50)),
            p99_ms: Some(p99),
            ..line
        }
    }
}

/// One side of a comparison: the medians of its rounds.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub service_us: f64,
    pub postgres_us: f64,
}

impl Sample {
    pub fn of(run: &Run, calls: u32, service: Duration, postgres: Duration) -> Self {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(calls);
        Self {
            per_second: run.per_second,
            p50_ms: run.percentile(50),
            p99_ms: run.percentile(99),
            service_us: each(service),
            postgres_us: each(postgres),
        }
    }

    pub fn median(rounds: &[Self]) -> Self {
        let of = |member: fn(&Self) -> f64| median(rounds.iter().map(member));
        Self {
            per_second: of(|sample| sample.per_second),
            p50_ms: of(|sample| sample.p50_ms),
            p99_ms: of(|sample| sample.p99_ms),
            service_us: of(|sample| sample.service_us),
            postgres_us: of(|sample| sample.postgres_us),
        }
    }
}

/// The middle value, or the upper one of the two in the middle; 0 for no values.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

pub fn header() -> String {
    format!(
        "{:38} {:>10} {:34} {:>9} {:>8} {:>8}  {:6} {:>8} {:>8} {:>7} {:>7}",
        "what",
        "measured",
        "compared with",
        "compared",
        "value",
        "budget",
        "",
        "p50 ms",
        "p99 ms",
        "svc us",
        "pg us"
    )
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = |value: f64| if value < 100.0 { 2 } else { 0 };
        let shown = |value: Option<f64>| {
            value.map_or_else(String::new, |value| format!("{value:.*}", digits(value)))
        };
        let (budget, verdict) = match self.budget {
            Budget::AtLeast(least) => {
                (format!(">= {least}"), if self.met { "met" } else { "MISSED" })
            }
            Budget::AtMost(most) => (format!("<= {most}"), if self.met { "met" } else { "MISSED" }),
            Budget::None => (String::new(), ""),
        };
        let measured = format!("{} {}", shown(Some(self.measured)), self.unit);
        write!(
            f,
            "{:38} {measured:>10} {:34} {:>9} {:>8} {budget:>8}  {verdict:6} {:>8} {:>8} {:>7} {:>7}",
            self.what,
            self.compared_with,
            shown(self.compared),
            shown(Some(self.value)),
            shown(self.p50_ms),
            shown(self.p99_ms),
            shown(self.service_us),
            shown(self.postgres_us),
        )
    }
}
