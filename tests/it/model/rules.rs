//! The promises made for every job, checked without the model, from the rows before and after a step.
use super::{steps::UNCONFIRMED_WAIT, world::Seen};

const FINAL: &[&str] = &["completed", "failed", "timed_out", "canceled"];

/// Returns the rule that was broken.
pub fn check(before: &Seen, after: &Seen) -> Result<(), &'static str> {
    let is = |state: &str| after.state == state;
    let is_final = FINAL.contains(&&*after.state);
    let grew = after.attempts.len() - before.attempts.len();
    let rules = [
        (after.version > 0, "version, number of events and seq of the last event are the same"),
        (after.events.starts_with(&before.events), "the timeline only grows"),
        (after.deliveries.starts_with(&before.deliveries), "deliveries are never rewritten"),
        (is_allowed(before, after), "a final state changes by a late result or a retry only"),
        (is("completed") == after.words.is_some(), "a job is completed when it has its result"),
        (is("completed") == after.via.is_some(), "a completed job says who brought its result"),
        (before.words.is_none() || before.words == after.words, "the first result wins"),
        (is_final == after.due_in.is_none(), "an open job waits for something, others do not"),
        (is("submitting") || !after.is_leased, "only a job that is being submitted is leased"),
        (grew <= 1, "one attempt at a time"),
        (grew == 0 || last_is_closed(before), "no attempt while another may still be taken"),
        (
            after.has_content == before.has_content || is("completed") || is("canceled"),
            "content is deleted when it will not be needed again",
        ),
    ];
    rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err(*rule))
}

fn is_allowed(before: &Seen, after: &Seen) -> bool {
    let last_event = after.events.last().map(String::as_str);
    before.state == after.state
        || match &*before.state {
            "timed_out" => last_event == Some("queued retry") || after.state == "completed",
            "failed" => {
                let is_presumed =
                    !matches!(before.error.as_deref(), Some("validation" | "analysis"));
                last_event == Some("queued retry") || is_presumed && after.state == "completed"
            }
            "completed" | "canceled" => false,
            _ => true,
        }
}

/// The last attempt was certainly not accepted, stayed unconfirmed for the configured wait, or was forgotten by the
/// provider; or the caller retried the job.
fn last_is_closed(before: &Seen) -> bool {
    let last_submission = before.events.iter().rposition(|event| event == "submitting");
    let since = &before.events[last_submission.unwrap_or(0)..];
    let happened = |event: &str| since.iter().any(|it| it == event);
    let Some(last) = before.attempts.last() else { return true };
    happened("queued retry")
        || match &*last.outcome {
            "open" => false,
            "unknown" => last.age >= UNCONFIRMED_WAIT,
            "accepted" => happened("requeued forgotten"),
            _ => true,
        }
}

/// Rules for a job's history, however many processes changed it concurrently.
pub fn check_history(seen: &Seen) -> Result<(), &'static str> {
    let count = |event: &str| seen.events.iter().filter(|it| it.starts_with(event)).count();
    let changes: Vec<_> = seen.events.iter().filter(|it| !it.starts_with("delivery")).collect();
    let is_legal = |pair: &[&String]| match &**pair[0] {
        "completed" | "completed late" | "canceled" => false,
        event if event == "timed_out" || event.starts_with("failed") => {
            matches!(&**pair[1], "queued retry" | "completed late")
        }
        _ => pair[1] != "completed late",
    };
    let rules = [
        (changes.windows(2).all(is_legal), "nothing follows an end but a retry or a late result"),
        (count("submitting") == seen.attempts.len(), "each attempt has its event"),
        (count("completed") <= 1, "a job is completed once"),
        (!(count("completed") + count("canceled") > 0 && seen.has_content), "content is deleted"),
    ];
    rules.iter().find(|(holds, _)| !holds).map_or_else(|| check(seen, seen), |it| Err(it.1))
}
