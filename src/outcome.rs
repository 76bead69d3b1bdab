//! What the provider found is applied to its job: one function, whoever brought it.
use serde_json::json;
use sqlx::PgTransaction;

use crate::{
    deliveries::{self, Delivery, Outcome},
    insights::{self, Analysis},
    jobs::{self, CompletedVia, ErrorClass, JobError, Locked, UpstreamError},
    provider::{Message, PARSER_VERSION, ProviderError, Unreadable, Verdict},
};

/// A delivery as it was understood.
#[derive(Debug)]
pub enum Reading {
    Success {
        provider_job_id: Option<String>,
        parser_version: i32,
        analysis: Box<Analysis>,
    },
    Failure {
        provider_job_id: Option<String>,
        errors: Vec<UpstreamError>,
    },
    /// Why it could not be understood, without quoting it.
    Unreadable(String),
}

impl Reading {
    /// What a parsed body means here; `None` while the provider is still at work.
    pub fn of(parsed: Result<Message, Unreadable>) -> Option<Self> {
        let message = match parsed {
            Ok(message) => message,
            Err(why) => return Some(Self::Unreadable(why.to_string())),
        };
        let provider_job_id = message.provider_job_id;
        match message.verdict {
            Verdict::Success(analysis) => {
                Some(Self::Success { provider_job_id, parser_version: PARSER_VERSION, analysis })
            }
            Verdict::Fail(errors) => {
                let errors = errors.into_iter().map(UpstreamError::from).collect();
                Some(Self::Failure { provider_job_id, errors })
            }
            Verdict::InProgress => None,
        }
    }
}

impl From<ProviderError> for UpstreamError {
    fn from(error: ProviderError) -> Self {
        Self { code: error.code, message: error.message, parameter: error.parameter }
    }
}

/// Keeps the delivery and, if it is the first to tell how its job ended, ends the job: document,
/// rows, state, timeline and delivery commit together or not at all.
///
/// `expected` is the provider's job id where the attempt knows it. `None` when the job is gone.
pub async fn apply(
    tx: &mut PgTransaction<'_>,
    delivery: &Delivery<'_>,
    expected: Option<&str>,
    reading: &Reading,
) -> sqlx::Result<Option<Outcome>> {
    let Some(job) = jobs::lock(tx, delivery.job_id).await? else { return Ok(None) };
    let (outcome, reason) = if deliveries::is_known(tx, delivery).await? {
        (Outcome::Duplicate, None)
    } else {
        judge(job, expected, reading)
    };
    deliveries::keep(tx, delivery, outcome, reason).await?;
    if outcome == Outcome::Accepted {
        finish(tx, delivery, reading).await?;
        return Ok(Some(outcome));
    }
    let detail = json!({
        "attempt": delivery.attempt, "via": delivery.via, "outcome": outcome.name(), "reason": reason,
    });
    jobs::note(tx, delivery.job_id, "delivery", &detail).await?;
    let is_useless = matches!(outcome, Outcome::Malformed | Outcome::Mismatch);
    if is_useless && delivery.via == CompletedVia::Webhook {
        jobs::poll_soon(&mut **tx, &[delivery.job_id]).await?;
    }
    Ok(Some(outcome))
}

fn judge<'a>(
    job: Locked,
    expected: Option<&str>,
    reading: &'a Reading,
) -> (Outcome, Option<&'a str>) {
    let (provider_job_id, still_wanted) = match reading {
        Reading::Unreadable(why) => return (Outcome::Malformed, Some(why)),
        Reading::Success { provider_job_id, .. } => (provider_job_id, job.awaits_result()),
        Reading::Failure { provider_job_id, .. } => (provider_job_id, job.awaits_failure()),
    };
    match (expected, provider_job_id) {
        (Some(expected), Some(told)) if expected != told => {
            (Outcome::Mismatch, Some("jobId is not the one the provider gave this attempt"))
        }
        _ if still_wanted => (Outcome::Accepted, None),
        _ if job.state == jobs::State::Completed => (Outcome::Superseded, None),
        _ => (Outcome::Late, None),
    }
}

async fn finish(
    tx: &mut PgTransaction<'_>,
    delivery: &Delivery<'_>,
    reading: &Reading,
) -> sqlx::Result<()> {
    let (id, attempt) = (delivery.job_id, delivery.attempt);
    match reading {
        Reading::Success { provider_job_id, parser_version, analysis } => {
            let origin = insights::Origin {
                job_id: id,
                provider_job_id: provider_job_id.as_deref(),
                parser_version: *parser_version,
            };
            insights::store(tx, origin, analysis).await?;
            jobs::complete(tx, id, attempt, delivery.via).await?;
        }
        Reading::Failure { errors, .. } => {
            let otherwise = "the provider reported a failure without saying why";
            let error = JobError::upstream(ErrorClass::Analysis, errors.clone(), otherwise);
            jobs::fail(tx, id, attempt, &error).await?;
        }
        Reading::Unreadable(_) => {}
    }
    Ok(())
}
