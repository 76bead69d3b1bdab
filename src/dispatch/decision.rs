//! What the provider's response to a submission means for the job.
use std::time::Duration;

use reqwest::StatusCode;
use tracing::Span;

use crate::{
    config::{DispatchSettings, GateSettings},
    jobs::{Claimed, ErrorClass, JobError, RetryReason, UpstreamError},
    provider::{Accepted, ProviderError, SubmitError},
    telemetry,
};

#[derive(Debug, PartialEq)]
pub enum SubmitDecision {
    Accepted {
        provider_job_id: Option<String>,
    },
    /// Final. `retry_reason`: why the last attempt failed, if it was not rejected.
    Refuse {
        retry_reason: Option<RetryReason>,
        error: JobError,
    },
    Release {
        retry_reason: RetryReason,
        delay: Duration,
        error: JobError,
    },
    Unknown {
        wait: Duration,
        error: JobError,
    },
}

impl SubmitDecision {
    /// Notes the decision in the trace.
    pub fn tag(&self, span: &Span) {
        let (outcome, retry_reason) = match self {
            Self::Accepted { .. } => ("accepted", None),
            Self::Refuse { retry_reason, .. } => ("refused", *retry_reason),
            Self::Release { retry_reason, .. } => ("requeued", Some(*retry_reason)),
            Self::Unknown { .. } => ("unknown", None),
        };
        telemetry::tag(span, telemetry::OUTCOME, outcome);
        if let Some(reason) = retry_reason {
            telemetry::tag(span, telemetry::RETRY_REASON, reason.name());
        }
    }

    pub fn of(
        answer: Result<Accepted, SubmitError>,
        claimed: &Claimed,
        settings: &DispatchSettings,
        gate: &GateSettings,
    ) -> Self {
        let error = match answer {
            Ok(accepted) => return Self::Accepted { provider_job_id: accepted.job_id },
            Err(error) => error,
        };
        let message = error.to_string();
        let asked = error.retry_after();
        let job_error = |class, errors: Vec<ProviderError>| {
            let errors = errors.into_iter().map(UpstreamError::from).collect();
            JobError::upstream(class, errors, &message)
        };
        let (retry_reason, error) = match error {
            SubmitError::Refused { errors, .. } => {
                let error = job_error(ErrorClass::Validation, errors);
                return Self::Refuse { retry_reason: None, error };
            }
            SubmitError::Broken { status, errors, .. } if is_of_a_gateway(status) => {
                let error = job_error(ErrorClass::Upstream, errors);
                return Self::Unknown { wait: settings.unconfirmed_wait, error };
            }
            SubmitError::UnknownFate(_) => {
                let error = job_error(ErrorClass::Upstream, Vec::new());
                return Self::Unknown { wait: settings.unconfirmed_wait, error };
            }
            SubmitError::Throttled { .. } => {
                (RetryReason::Throttled, job_error(ErrorClass::Upstream, Vec::new()))
            }
            SubmitError::Broken { errors, .. } => {
                (RetryReason::Broken, job_error(ErrorClass::Upstream, errors))
            }
            SubmitError::Unreachable(_) | SubmitError::TokenUnavailable(_) => {
                (RetryReason::Unreachable, job_error(ErrorClass::Upstream, Vec::new()))
            }
            SubmitError::Unauthorized { errors, .. } => {
                (RetryReason::Unauthorized, job_error(ErrorClass::Auth, errors))
            }
            SubmitError::Misdirected { errors, .. } => {
                (RetryReason::Misdirected, job_error(ErrorClass::Upstream, errors))
            }
        };
        let failures = u32::try_from(claimed.failures).unwrap_or(0) + 1;
        if retry_reason.counts() && failures >= settings.max_attempts {
            return Self::Refuse { retry_reason: Some(retry_reason), error };
        }
        let delay = asked.unwrap_or_else(|| match retry_reason {
            RetryReason::Throttled => gate.penalty,
            // Another job is tried next.
            RetryReason::Unauthorized | RetryReason::Misdirected => gate.probe,
            _ => backoff(settings, claimed.attempt),
        });
        Self::Release { retry_reason, delay, error }
    }
}

/// A gateway responded for a server that did not (RFC 9110, 15.6.3 and 15.6.5): the job may be
/// running. Any other 5xx comes from the server itself and means it did not accept the job.
fn is_of_a_gateway(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT)
}

/// `backoff`, doubled with each attempt after the first, up to `backoff_max`.
fn backoff(settings: &DispatchSettings, attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.clamp(1, 32) - 1).unwrap_or_default();
    let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
    settings.backoff.saturating_mul(factor).min(settings.backoff_max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_from_the_first_to_the_longest(attempt in any::<i32>()) {
            let loaded = crate::config::load(None).unwrap();
            let settings = loaded.settings.dispatch;
            let wait = backoff(&settings, attempt);
            prop_assert!(wait >= settings.backoff && wait <= settings.backoff_max);
            prop_assert!(backoff(&settings, attempt.saturating_add(1)) >= wait || attempt < 1);
        }
    }
}
