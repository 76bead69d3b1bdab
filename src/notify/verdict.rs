//! What a response means for a message and for its endpoint.
use std::time::Duration;

use axum::http::StatusCode;
use uuid::Uuid;

use crate::{
    config::NotifySettings,
    egress::Outcome,
    endpoints::{Health, Sign},
    notifications::Verdict,
};

/// The outcome of an attempt, with a name for metrics and logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgment {
    pub label: &'static str,
    pub verdict: Verdict,
    sign: Sign,
}

impl Judgment {
    /// `retries`: failed attempts of this message before this one.
    pub fn of(outcome: &Outcome, retries: i32, settings: &NotifySettings) -> Self {
        let (label, sign) = read(outcome, settings.retry_after_max);
        let verdict = match sign {
            Sign::Well => Verdict::Delivered,
            Sign::Gone => Verdict::Exhausted,
            Sign::Rejects => next(retries, Duration::ZERO, settings),
            Sign::Down(wait) => next(retries, wait, settings),
        };
        Self { label, verdict, sign }
    }

    /// The endpoint is gone, or its secrets cannot be opened.
    pub fn unsendable() -> Self {
        Self { label: "unsendable", verdict: Verdict::Skipped, sign: Sign::Rejects }
    }

    pub fn health(&self, endpoint_id: Uuid) -> Health {
        Health { endpoint_id, sign: self.sign }
    }
}

fn read(outcome: &Outcome, longest: Duration) -> (&'static str, Sign) {
    let answer = match outcome {
        Outcome::Answered(answer) => answer,
        // The guard rejected the address: the endpoint itself may be fine, but no message reaches it.
        Outcome::Failed(error) => return (error.kind(), Sign::Down(Duration::ZERO)),
    };
    let wait = answer.retry_after.unwrap_or_default().min(longest);
    match answer.status {
        status if status.is_success() => ("delivered", Sign::Well),
        StatusCode::GONE => ("gone", Sign::Gone),
        StatusCode::TOO_MANY_REQUESTS => ("slowed", Sign::Down(wait)),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            ("slowed", Sign::Down(wait))
        }
        status if status.is_server_error() => ("server_error", Sign::Down(wait)),
        status if status.is_redirection() => ("redirected", Sign::Rejects),
        _ => ("rejected", Sign::Rejects),
    }
}

/// The next attempt, no sooner than `wait`; jitter keeps messages from returning together.
fn next(retries: i32, wait: Duration, settings: &NotifySettings) -> Verdict {
    let nth = usize::try_from(retries).unwrap_or_default();
    settings.retries.get(nth).map_or(Verdict::Exhausted, |after| {
        Verdict::Retry(after.mul_f64(rand::random_range(0.9..1.1)).max(wait))
    })
}
