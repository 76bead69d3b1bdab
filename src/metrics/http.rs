//! The HTTP listeners.
use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};

use super::{
    Metrics,
    book::Book,
    exemplar::{self, TracedHistogram},
};

/// As the semantic conventions of OpenTelemetry advise.
pub(super) const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    http_request_method: &'static str,
    http_route: String,
    http_response_status_code: u16,
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

pub struct HttpFamilies {
    durations: Family<ResponseLabels, TracedHistogram, fn() -> TracedHistogram>,
    active: Family<ListenerLabels, Gauge>,
    connections: Family<ListenerLabels, Gauge>,
    connections_max: Family<ListenerLabels, Gauge>,
}

impl HttpFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self {
            durations: Family::new_with_constructor(|| TracedHistogram::new(SECONDS.into_iter())),
            active: Family::default(),
            connections: Family::default(),
            connections_max: Family::default(),
        };
        book.add(
            "http_server_request_duration_seconds",
            &["http_request_method", "http_route", "http_response_status_code", "listener"],
            "Time from the head of a request to the head of its response",
            this.durations.clone(),
        );
        let listener = &["listener"];
        book.add(
            "http_server_active_requests",
            listener,
            "Requests whose response is not complete, including event streams",
            this.active.clone(),
        );
        book.add("http_server_connections", listener, "Open connections", this.connections.clone());
        book.add(
            "http_server_connections_max",
            listener,
            "Maximum number of connections; absent if there is none",
            this.connections_max.clone(),
        );
        this
    }
}

impl Metrics {
    /// A response was ready to be sent; called in the span of the request. `route`: the matched one, never the path.
    pub fn responded(
        &self,
        listener: &'static str,
        method: &'static str,
        route: &str,
        status: u16,
        took: Duration,
    ) {
        let Some(inner) = &self.0 else { return };
        let labels = ResponseLabels {
            http_request_method: method,
            http_route: route.to_owned(),
            http_response_status_code: status,
            listener,
        };
        exemplar::observe(&inner.http.durations.get_or_create_owned(&labels), took.as_secs_f64());
    }

    /// What a listener counts by itself. `most`: the limit of its connections, if it has one.
    pub fn listener(&self, listener: &'static str, most: Option<usize>) -> ListenerMetrics {
        let Some(inner) = &self.0 else { return ListenerMetrics::default() };
        let labels = ListenerLabels { listener };
        if let Some(most) = most {
            let max = inner.http.connections_max.get_or_create_owned(&labels);
            max.set(i64::try_from(most).unwrap_or(i64::MAX));
        }
        ListenerMetrics {
            connections: Some(inner.http.connections.get_or_create_owned(&labels)),
            active: Some(inner.http.active.get_or_create_owned(&labels)),
        }
    }
}

/// The gauges of one listener. The default counts nothing.
#[derive(Debug, Clone, Default)]
pub struct ListenerMetrics {
    connections: Option<Gauge>,
    active: Option<Gauge>,
}

impl ListenerMetrics {
    pub fn connected(&self) {
        self.connections.as_ref().map(Gauge::inc);
    }

    pub fn disconnected(&self) {
        self.connections.as_ref().map(Gauge::dec);
    }

    pub fn began(&self) {
        self.active.as_ref().map(Gauge::inc);
    }

    pub fn ended(&self) {
        self.active.as_ref().map(Gauge::dec);
    }
}
