//! Calls to the provider.
use std::{
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use super::{Metrics, NoLabels, background::since_1970, book::Book, http, labels};

/// Statuses that the provider is known to send.
const STATUSES: [Option<u16>; 12] = [
    None,
    Some(200),
    Some(202),
    Some(400),
    Some(401),
    Some(403),
    Some(404),
    Some(429),
    Some(500),
    Some(502),
    Some(503),
    Some(504),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Token,
    Submit,
    Status,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Submit => "submit",
            Self::Status => "status",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    server_address: String,
    operation: &'static str,
    http_response_status_code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    code: String,
}

pub struct ProviderFamilies {
    durations: Family<CallLabels, Histogram, fn() -> Histogram>,
    requests: Family<RequestLabels, Counter>,
    token_expiry: Family<NoLabels, Gauge<f64, AtomicU64>>,
}

impl ProviderFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self {
            durations: Family::new_with_constructor(|| {
                Histogram::new(http::SECONDS.into_iter().chain([20.0, 30.0]))
            }),
            requests: Family::default(),
            token_expiry: Family::default(),
        };
        for operation in [Operation::Token, Operation::Submit, Operation::Status] {
            for status in STATUSES {
                let labels =
                    RequestLabels { operation: operation.name(), code: labels::status(status) };
                this.requests.get_or_create_owned(&labels);
            }
        }
        book.add(
            "http_client_request_duration_seconds",
            &["server_address", "operation", "http_response_status_code"],
            "Time of a request to the provider until the head of its response; none is the status without a response",
            this.durations.clone(),
        );
        book.add(
            "aftercall_upstream_requests_total",
            &["operation", "code"],
            "Requests to the provider (token, submit, status) by the status of the response; none without one",
            this.requests.clone(),
        );
        book.add(
            "aftercall_upstream_token_expiry_timestamp_seconds",
            &[],
            "When this replica's access token for the provider expires; absent without one",
            this.token_expiry.clone(),
        );
        this
    }
}

impl Metrics {
    /// A request to the provider got a response, or none.
    pub fn called(&self, host: &str, operation: Operation, status: Option<u16>, took: Duration) {
        let Some(inner) = &self.0 else { return };
        let (operation, code) = (operation.name(), labels::status(status));
        let labels = CallLabels {
            server_address: host.to_owned(),
            operation,
            http_response_status_code: code.clone(),
        };
        inner.provider.durations.get_or_create_owned(&labels).observe(took.as_secs_f64());
        inner.provider.requests.get_or_create_owned(&RequestLabels { operation, code }).inc();
    }

    /// There is an access token that expires after this time.
    pub fn token_expires_in(&self, lifetime: Duration) {
        let Some(inner) = &self.0 else { return };
        let at = since_1970(SystemTime::now() + lifetime);
        inner.provider.token_expiry.get_or_create_owned(&[]).set(at);
    }
}
