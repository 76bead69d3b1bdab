//! A completed job has exactly one result: what the sandbox computed, as a document and as rows.
use serde_json::{Map, Value, json};

use super::{
    Case,
    expected::{self, loosely},
    ledger::Acceptance,
    records::{Delivery, TABLES},
};

pub fn check(case: &mut Case<'_>) {
    let job = case.job;
    let wanted = usize::from(job.state == "completed");
    case.check(job.results.len() == wanted, format!("{} results", job.results.len()));
    if wanted == 0 {
        for ((table, _), rows) in TABLES.iter().zip(&job.rows) {
            case.check(rows.is_empty(), format!("{table}: {} rows without result", rows.len()));
        }
        return;
    }
    let accepted = job.deliveries.iter().rfind(|delivery| delivery.outcome == "accepted");
    let Some(delivery) = accepted else { return };
    let Some(origin) = case.accepted_for(delivery.attempt) else { return };
    let Some((_, response)) = &origin.finished else { return };
    for stored in &job.results {
        case.check(stored.is_intact, "its document has another digest");
        match serde_json::from_str(&stored.document) {
            Ok(document) => compare(case, document, response, origin, delivery),
            Err(error) => case.wrong(format!("its document is no JSON: {error}")),
        }
    }
    for (((table, _), rows), expected) in TABLES.iter().zip(&job.rows).zip(expected::rows(response))
    {
        let is_same = rows.len() == expected.len()
            && rows.iter().zip(&expected).all(|(row, expected)| loosely(row) == loosely(expected));
        let (count, wanted) = (rows.len(), expected.len());
        case.check(is_same, format!("{table}: {count} rows are not the {wanted} of the response"));
    }
}

/// Compares member by member.
fn compare(
    case: &mut Case<'_>,
    mut document: Map<String, Value>,
    response: &Value,
    origin: &Acceptance,
    delivery: &Delivery,
) {
    let has_wrong_types = origin.has("wrong-types") && delivery.via == "webhook";
    let is_same = |found: &Value, wanted: &Value| {
        if has_wrong_types { loosely(found) == loosely(wanted) } else { found == wanted }
    };
    // Without an id in the body it is the one of the 202, which may have had none or arrived later.
    let has_id = delivery.via == "poll" || !origin.has("no-job-id") && !origin.has("same-body");
    let provider_job_id = document.remove("providerJobId").unwrap_or_default();
    let may_be_unknown = !has_id && provider_job_id.is_null();
    case.check(
        may_be_unknown || provider_job_id == origin.provider_job_id,
        format!("document: providerJobId is {provider_job_id}"),
    );
    let ours = [("jobId", json!(case.id)), ("partial", json!(false)), ("issues", json!([]))];
    for (name, wanted) in ours {
        let found = document.remove(name);
        case.check(found.as_ref() == Some(&wanted), format!("document: {name} is {found:?}"));
    }
    document.remove("parserVersion");
    if let Some(Value::Object(other)) = document.remove("other") {
        document.extend(other);
    }
    for (name, wanted) in response.as_object().unwrap() {
        let found = document.remove(name);
        let is_same = found.is_some_and(|found| is_same(&found, wanted));
        case.check(is_same, format!("document: {name} is not what the provider computed"));
    }
    case.check(document.is_empty(), "document: it has members that the response has not");
}
