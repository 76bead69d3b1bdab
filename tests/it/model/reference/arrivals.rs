//! What the provider says of a job, and what that makes of it.
use aftercall::{
    deliveries::Outcome,
    jobs::{CompletedVia, State},
};

use super::{
    super::steps::{Told, What, provider_job_id, words},
    Job,
};

/// Something the provider said of one attempt of the job.
pub struct Arrived {
    pub attempt: i32,
    pub via: CompletedVia,
    /// The provider's job id, where it is known whose turn it was.
    pub expected: Option<String>,
    pub told: Told,
}

impl Job {
    /// What arrives together; what it ends is told before what it leaves unchanged.
    pub fn receive(&mut self, arrived: &[Arrived], now: i64) -> Vec<Outcome> {
        let mut notes = Vec::new();
        let mut is_useless = false;
        let mut outcomes = Vec::new();
        for arrival in arrived {
            let outcome = self.judge(arrival);
            if outcome == Outcome::Accepted {
                self.accept(arrival);
            } else {
                notes.push(format!("delivery {}", outcome.name()));
            }
            is_useless |= arrival.via == CompletedVia::Webhook
                && matches!(outcome, Outcome::Malformed | Outcome::Mismatch);
            outcomes.push(outcome);
        }
        self.deliveries.extend(&outcomes);
        self.events.extend(notes);
        if is_useless {
            self.poll_soon(now);
        }
        outcomes
    }

    fn judge(&mut self, arrival: &Arrived) -> Outcome {
        let own = provider_job_id(self.number, arrival.attempt);
        if !self.bodies.insert(arrival.told.body(&own)) {
            return Outcome::Duplicate;
        }
        let is_wanted = match arrival.told.what {
            What::Success(_) => self.is_open() || self.state == State::TimedOut,
            What::Failure(_) => self.is_open() && self.current == Some(arrival.attempt),
            What::InProgress | What::Noise(_) | What::Nothing => return Outcome::Malformed,
        };
        let named = arrival.told.names(&own);
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
        if let What::Success(n) = arrival.told.what {
            let is_late = self.state == State::TimedOut;
            self.end(State::Completed);
            self.has_content = false;
            self.has_error = false;
            self.via = Some(arrival.via);
            self.words = Some(words(n));
            self.happened(if is_late { "completed late" } else { "completed" });
        } else {
            self.has_error = true;
            self.end(State::Failed);
            self.happened("failed");
        }
    }
}
