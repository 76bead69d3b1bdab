//! Every delivery that got a 200 is stored, byte for byte, and every stored one was sent.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Case, records::Delivery};

pub fn check(case: &mut Case<'_>) {
    let job = case.job;
    kept_once(case);
    // Counted by attempt and digest.
    let mut stored: BTreeMap<(i32, &[u8]), usize> = BTreeMap::new();
    for delivery in &job.deliveries {
        case.check(delivery.is_intact, "a body is not the one that was received");
        if delivery.via == "webhook" {
            *stored.entry((delivery.attempt, &delivery.body_sha)).or_default() += 1;
        } else {
            answer(case, delivery);
        }
        let is_known = ["accepted", "duplicate", "late", "superseded", "malformed"];
        let outcome = delivery.outcome.as_str();
        case.check(is_known.contains(&outcome), format!("a delivery is {outcome}"));
    }
    for attempt in &job.attempts {
        let Some(accepted) = case.accepted_for(attempt.number) else { continue };
        let digests: BTreeSet<&[u8]> = accepted.sent.iter().map(|sent| &sent.sha[..]).collect();
        for sha in digests {
            let sent = || accepted.sent.iter().filter(|sent| sent.sha == sha);
            let acknowledged = sent().filter(|sent| sent.answer == Some(200)).count();
            let rows = stored.remove(&(attempt.number, sha)).unwrap_or_default();
            case.check(
                rows >= acknowledged,
                format!("{acknowledged} got a 200, {rows} are stored"),
            );
            case.check(rows <= sent().count(), format!("{rows} are stored, fewer were sent"));
            let is_truncated = sent().any(|sent| accepted.is_truncated(sent));
            let is_of_body = |d: &&Delivery| d.attempt == attempt.number && d.body_sha == sha;
            let of_body = job.deliveries.iter().filter(is_of_body);
            for delivery in of_body.filter(|delivery| delivery.outcome != "duplicate") {
                let is_malformed = delivery.outcome == "malformed";
                case.check(
                    is_malformed == is_truncated,
                    format!("truncated is {is_truncated}, but it is {}", delivery.outcome),
                );
            }
        }
    }
    for (attempt, _) in stored.into_keys() {
        case.wrong(format!("a delivery of attempt {attempt} was never sent to its webhook"));
    }
}

/// For each body of each attempt, the first row holds the bytes and later ones are duplicates, except one that ended a
/// job which its caller had retried.
fn kept_once(case: &mut Case<'_>) {
    let mut seen = BTreeSet::new();
    for delivery in &case.job.deliveries {
        let is_first = seen.insert((delivery.attempt, &delivery.body_sha));
        let is_duplicate = delivery.outcome == "duplicate";
        case.check(
            delivery.has_body != is_duplicate,
            "the bytes of a body are not kept exactly once",
        );
        case.check(
            !(is_duplicate && is_first),
            "a duplicate is the first delivery of its body for its attempt",
        );
        let is_end = delivery.outcome == "accepted";
        case.check(is_first || is_duplicate || is_end, "what came again is no duplicate");
    }
}

/// A final status response must be about the attempt's job.
fn answer(case: &mut Case<'_>, delivery: &Delivery) {
    let Some(bytes) = &delivery.answer else { return };
    let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let is_true = case.accepted_for(delivery.attempt).is_some_and(|accepted| {
        let finished = accepted.finished.as_ref();
        answer["jobId"] == accepted.provider_job_id
            && finished.is_some_and(|(status, response)| {
                answer["status"] == *status && answer["response"] == *response
            })
    });
    case.check(is_true, "a stored answer of the status endpoint is not what the provider has");
}
