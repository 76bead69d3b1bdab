//! What the provider reports about a job, and its effect.
use std::collections::BTreeSet;

use aftercall::{
    deliveries::Outcome,
    jobs::{Channel, State},
};

use super::{
    super::steps::{Content, Report, What, provider_job_id, words},
    Flaw, Job,
};

/// A report of the provider about one attempt of the job.
pub struct Arrived {
    pub attempt: i32,
    pub via: Channel,
    /// The provider's job id, if the attempt knows it.
    pub expected: Option<String>,
    pub report: Report,
}

impl Job {
    /// Reports that arrive together; the event of one that ends the job precedes those of the
    /// others.
    pub fn receive(&mut self, arrived: &[Arrived], now: i64) -> Vec<Outcome> {
        let mut notes = Vec::new();
        let mut surplus = Vec::new();
        let mut is_useless = false;
        let mut outcomes = Vec::new();
        let mut known = self.bodies.clone();
        for arrival in arrived {
            let outcome = self.judge(arrival, &mut known);
            outcomes.push(outcome);
            if outcome == Outcome::Accepted {
                self.accept(arrival);
            } else if outcome == Outcome::Duplicate && arrival.via == Channel::Poll {
                // The same status response again is not an event.
                continue;
            } else if self.has_room(arrival) {
                notes.push(format!("delivery {}", outcome.name()));
                is_useless |= arrival.via == Channel::Webhook
                    && matches!(outcome, Outcome::Malformed | Outcome::Mismatch);
            } else {
                let attempt = self.attempt(arrival.attempt);
                attempt.surplus += 1;
                if attempt.surplus == 1 {
                    surplus.push("delivery surplus".to_owned());
                }
                continue;
            }
            self.deliveries.push(outcome);
            self.bodies.insert((arrival.attempt, arrival.report.content(arrival.attempt)));
        }
        self.events.extend(notes.into_iter().chain(surplus));
        if is_useless {
            self.poll_soon(now);
        }
        outcomes
    }

    /// Whether a delivery that ends nothing is stored; if so, it is counted.
    fn has_room(&mut self, arrival: &Arrived) -> bool {
        let most = self.terms.attempt_deliveries;
        let attempt = self.attempt(arrival.attempt);
        if arrival.via != Channel::Webhook {
            return true;
        }
        let has_room = attempt.kept < most;
        attempt.kept += u32::from(has_room);
        has_room
    }

    fn judge(&self, arrival: &Arrived, known: &mut BTreeSet<(i32, Content)>) -> Outcome {
        let content = arrival.report.content(arrival.attempt);
        let is_anothers =
            known.iter().any(|(attempt, other)| *other == content && *attempt != arrival.attempt);
        let is_known = !known.insert((arrival.attempt, content));
        let is_mistaken = match self.flaw {
            Some(Flaw::DuplicatesOfAnyAttempt) => is_anothers,
            Some(Flaw::DuplicatesAfterRetry) => is_known,
            _ => false,
        };
        if is_mistaken {
            return Outcome::Duplicate;
        }
        match self.judge_alone(arrival) {
            Outcome::Accepted => Outcome::Accepted,
            _ if is_known => Outcome::Duplicate,
            outcome => outcome,
        }
    }

    /// The outcome regardless of earlier bodies.
    fn judge_alone(&self, arrival: &Arrived) -> Outcome {
        let own = provider_job_id(self.number, arrival.attempt);
        let is_wanted = match arrival.report.what {
            What::Success(_) => self.awaits_result(),
            What::Failure(_) => {
                let is_current = self.current == Some(arrival.attempt);
                self.is_open() && (is_current || self.flaw == Some(Flaw::FailureOfAnyAttempt))
            }
            What::InProgress | What::Noise(_) | What::Nothing => return Outcome::Malformed,
        };
        let named = arrival.report.names(&own);
        if arrival.expected.is_some() && named.is_some() && arrival.expected != named {
            return Outcome::Mismatch;
        }
        match self.state {
            _ if is_wanted => Outcome::Accepted,
            State::Completed => Outcome::Superseded,
            _ => Outcome::Late,
        }
    }

    fn accept(&mut self, arrival: &Arrived) {
        if let What::Success(n) = arrival.report.what {
            let is_late = !self.is_open();
            self.end(State::Completed);
            self.has_content = false;
            self.error = None;
            self.via = Some(arrival.via);
            self.words = Some(words(n));
            self.happened(if is_late { "completed late" } else { "completed" });
        } else {
            self.error = Some("analysis");
            self.end(State::Failed);
            self.happened("failed");
        }
    }
}
