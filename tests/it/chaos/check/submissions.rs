//! No second submission, unless the outcome of the previous one stayed unknown for the configured
//! wait, or it was certainly not accepted.
use std::{collections::BTreeSet, time::Duration};

use super::Case;

/// Outcomes that mean the provider did not accept the submission.
const NOT_ACCEPTED: [&str; 6] =
    ["refused", "throttled", "broken", "unreachable", "unauthorized", "misdirected"];

pub fn check(case: &mut Case<'_>, unconfirmed_wait: Duration) {
    tokens(case);
    let job = case.job;
    for (number, attempt) in (1..).zip(&job.attempts) {
        case.check(attempt.number == number, format!("attempt {number} is missing"));
        let accepted = case.accepted_for(attempt.number);
        let outcome = attempt.outcome.as_str();
        if NOT_ACCEPTED.contains(&outcome) {
            case.check(accepted.is_none(), format!("attempt {number} {outcome}, yet accepted"));
        }
        case.check(
            outcome != "accepted" || accepted.is_some(),
            format!("attempt {number} accepted, but not by the provider"),
        );
        if let Some(id) = &attempt.provider_job_id {
            let is_same = accepted.is_some_and(|accepted| accepted.provider_job_id == *id);
            case.check(is_same, format!("attempt {number} has the id of another provider job"));
        }
    }
    repetitions(case, unconfirmed_wait);
}

/// Each token led to at most one acceptance, and belongs to this job.
fn tokens(case: &mut Case<'_>) {
    let own: BTreeSet<_> = case.job.attempts.iter().map(|attempt| &attempt.token_sha).collect();
    case.check(own.len() == case.job.attempts.len(), "two attempts have the same token");
    let mut seen = BTreeSet::new();
    for acceptance in case.accepted.clone() {
        let id = &acceptance.provider_job_id;
        case.check(
            own.contains(&acceptance.token_sha),
            format!("no attempt has the token of {id}"),
        );
        case.check(seen.insert(&acceptance.token_sha), format!("{id} was accepted beside another"));
    }
}

/// The timeline says why each attempt after the first was made.
fn repetitions(case: &mut Case<'_>, unconfirmed_wait: Duration) {
    let mut attempt = 0;
    let mut is_unknown = false;
    let mut because = None;
    for event in &case.job.events {
        match event.kind.as_str() {
            "unconfirmed" | "abandoned" => is_unknown = true,
            "requeued" | "queued" => because = event.detail["because"].as_str(),
            "submitting" => {
                attempt += 1;
                case.check(event.detail["attempt"] == attempt, "attempts out of order");
                if attempt > 1 {
                    repeated(case, attempt - 1, because, is_unknown, unconfirmed_wait);
                }
                (because, is_unknown) = (None, false);
            }
            _ => {}
        }
    }
    let count = case.job.attempts.len();
    case.check(
        usize::try_from(attempt).is_ok_and(|made| made == count),
        "an attempt is not told of",
    );
}

/// Checks that another attempt after this one was justified.
fn repeated(
    case: &mut Case<'_>,
    number: i32,
    because: Option<&str>,
    is_unknown: bool,
    unconfirmed_wait: Duration,
) {
    if because == Some("retry") {
        return;
    }
    let end_is_known = case.accepted_for(number).zip(case.attempt(number + 1));
    let end_is_known = end_is_known.is_some_and(|(it, next)| it.is_told_before(next.created_at));
    case.check(!end_is_known, format!("attempt {number} was repeated although its end was told"));
    match because {
        Some("unknown") => {
            case.check(is_unknown, format!("attempt {number} was repeated without a doubt"));
            let made = |number| case.attempt(number).map(|attempt| attempt.created_at);
            let waited = made(number + 1).zip(made(number)).map(|(next, first)| next - first);
            let is_long_enough = waited
                .and_then(|waited| waited.to_std().ok())
                .is_some_and(|waited| waited >= unconfirmed_wait);
            case.check(is_long_enough, format!("attempt {number} was repeated after {waited:?}"));
        }
        Some(because) if NOT_ACCEPTED.contains(&because) => {
            let accepted = case.accepted_for(number);
            case.check(accepted.is_none(), format!("attempt {number} {because}, yet accepted"));
        }
        _ => case.wrong(format!("attempt {number} was repeated because of {because:?}")),
    }
}
