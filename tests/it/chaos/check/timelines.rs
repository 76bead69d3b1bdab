//! The timeline of a job: complete, legal, and consistent with everything else.
use super::Case;

pub fn check(case: &mut Case<'_>) {
    let job = case.job;
    let numbers = job.events.iter().map(|event| event.seq);
    case.check(numbers.eq(1..=job.version), format!("its events are not 1 to {}", job.version));
    let mut state = "";
    for event in &job.events {
        let kind = event.kind.as_str();
        match next(state, kind) {
            Some(next) => state = next,
            None => case.wrong(format!("event {}: {kind} in state {state:?}", event.seq)),
        }
    }
    case.check(state == job.state, format!("its timeline ends {state}, it is {}", job.state));
    told(case);
}

/// The state after an event; `None` when the event is not allowed.
fn next(state: &'static str, event: &str) -> Option<&'static str> {
    let is_open = matches!(state, "queued" | "submitting" | "submitted");
    match (event, state) {
        ("queued", "" | "failed" | "timed_out") | ("requeued", "submitting") => Some("queued"),
        ("submitting", "queued") | ("unconfirmed" | "abandoned", "submitting") => {
            Some("submitting")
        }
        // Also when the attempt's acceptance was learned only after the attempt had been given up.
        ("submitted", "submitting" | "queued") => Some("submitted"),
        ("delivery", "") => None,
        ("delivery", state) => Some(state),
        ("completed", _) if is_open || state == "timed_out" => Some("completed"),
        ("failed", _) if is_open => Some("failed"),
        ("timed_out", _) if is_open => Some("timed_out"),
        _ => None,
    }
}

/// Each delivery has its event, whether it ended the job or was set aside.
fn told(case: &mut Case<'_>) {
    let mut stored = Vec::new();
    for delivery in &case.job.deliveries {
        stored.push(match (delivery.outcome.as_str(), delivery.via.as_str()) {
            ("accepted", _) => format!("end by attempt {}", delivery.attempt),
            (outcome, via) => format!("{outcome} of attempt {} via {via}", delivery.attempt),
        });
    }
    let mut told = Vec::new();
    for event in &case.job.events {
        let detail = &event.detail;
        let text = |member: &str| detail[member].as_str().unwrap_or_default().to_owned();
        match event.kind.as_str() {
            "completed" | "failed" => told.push(format!("end by attempt {}", detail["attempt"])),
            "delivery" => told.push(format!(
                "{} of attempt {} via {}",
                text("outcome"),
                detail["attempt"],
                text("via")
            )),
            _ => {}
        }
    }
    stored.sort();
    told.sort();
    case.check(stored == told, format!("deliveries {stored:?}, but events {told:?}"));
}
