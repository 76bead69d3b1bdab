//! Every job is final, and ended the way the provider reported.
use serde_json::Value;

use super::{Case, ledger::Acceptance, records::Delivery};

pub fn check(case: &mut Case<'_>) {
    let accepted: Vec<&Delivery> =
        case.job.deliveries.iter().filter(|delivery| delivery.outcome == "accepted").collect();
    match case.job.state.as_str() {
        "completed" => told(case, &accepted, "Success"),
        "failed" => told(case, &accepted, "Fail"),
        "timed_out" => {
            earlier_failures(case, &accepted);
            nobody_could_tell(case);
        }
        other => case.wrong(format!("ended as {other}")),
    }
}

/// Deliveries accepted before a retry must have reported a failure.
fn earlier_failures(case: &mut Case<'_>, accepted: &[&Delivery]) {
    let retries = case.job.events.iter().filter(|event| event.detail["because"] == "retry");
    let (count, most) = (accepted.len(), retries.count());
    case.check(count <= most, format!("{count} deliveries were accepted before {most} retries"));
    for delivery in accepted {
        let finished = case.accepted_for(delivery.attempt).and_then(|a| a.finished.as_ref());
        let is_failure = finished.is_some_and(|(status, _)| status == "Fail");
        case.check(is_failure, "an earlier end was not that the provider said Fail");
    }
}

/// One delivery ended the job, and it says what the sandbox computed.
fn told(case: &mut Case<'_>, accepted: &[&Delivery], status: &str) {
    let Some((delivery, earlier)) = accepted.split_last() else {
        return case.wrong("0 deliveries were accepted");
    };
    earlier_failures(case, earlier);
    let origin = case.accepted_for(delivery.attempt);
    let Some((found, response)) = origin.and_then(|origin| origin.finished.as_ref()) else {
        return case.wrong("the provider has no result for the attempt that brought the end");
    };
    case.check(found == status, format!("ended by {status}, but the provider said {found}"));
    if status == "Success" {
        let via = case.job.completed_via.as_deref();
        case.check(via == Some(&delivery.via), format!("completed via {via:?}"));
        case.check(case.job.error.is_none(), "completed with an error");
        case.check(!case.job.has_content, "its content is kept although it is completed");
    } else {
        let code = &response["errors"][0]["errorCode"];
        let kept = case.job.error.as_ref().map_or(&Value::Null, |error| &error["code"]);
        case.check(kept == code, format!("failed with {kept}, the provider said {code}"));
    }
}

/// Only the deadline can end a job if the provider gave no job id and delivered nothing whole.
fn nobody_could_tell(case: &mut Case<'_>) {
    let attempts = case.latest();
    let could_be_asked = attempts.iter().any(|a| a.provider_job_id.is_some());
    case.check(!could_be_asked, "timed out, although the provider could be asked");
    let mut accepted = attempts.iter().filter_map(|attempt| case.accepted_for(attempt.number));
    let is_delivered = accepted.any(Acceptance::is_delivered);
    case.check(!is_delivered, "timed out, although a whole result got a 200");
}
