//! Section 4 of the design as plain Rust: the effect of each step on a job. No database, no clock.
mod arrivals;
mod canonical;

use std::collections::BTreeSet;

use aftercall::{
    deliveries::Outcome,
    jobs::{Channel, RetryReason, State},
};

pub use self::arrivals::Arrived;
use super::{
    steps::{
        ATTEMPT_DELIVERIES, Answer, BACKOFF, Content, DEADLINE, LEASE, MAX_ATTEMPTS, POLL_AFTER,
        UNCONFIRMED_WAIT, provider_job_id,
    },
    world::{Seen, SeenAttempt},
};

/// The relevant settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    pub max_attempts: u32,
    pub attempt_deliveries: u32,
}

impl Terms {
    pub const USUAL: Self =
        Self { max_attempts: MAX_ATTEMPTS, attempt_deliveries: ATTEMPT_DELIVERIES };
}

/// Deliberate errors, to see that they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Equal bytes are duplicates, even across attempts.
    DuplicatesOfAnyAttempt,
    /// Equal bytes for one attempt are duplicates, even after a retry.
    DuplicatesAfterRetry,
    /// A presumed failure is as final as one reported by the provider.
    PresumedFailureIsFinal,
    /// A failure of any attempt ends the job.
    FailureOfAnyAttempt,
    /// An unconfirmed attempt is repeated at once.
    NoUnconfirmedWait,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    terms: Terms,
    flaw: Option<Flaw>,
    number: usize,
    state: State,
    attempts: Vec<Attempt>,
    /// The attempt whose end would end the job; none before the first, and after a retry.
    current: Option<i32>,
    /// A process waits for the provider's response.
    is_leased: bool,
    failures: u32,
    /// The error's class.
    error: Option<&'static str>,
    has_content: bool,
    via: Option<Channel>,
    /// The only utterance of the result.
    words: Option<String>,
    /// In minutes, like all times here.
    due: Option<i64>,
    deadline: i64,
    /// Stored bodies, with their attempts.
    bodies: BTreeSet<(i32, Content)>,
    deliveries: Vec<Outcome>,
    events: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Attempt {
    outcome: &'static str,
    /// Whether the provider's id is known.
    has_id: bool,
    begun: i64,
    /// Deliveries to its webhook that ended nothing: stored, and only counted.
    kept: u32,
    surplus: u32,
}

impl Job {
    pub fn new(number: usize, has_content: bool) -> Self {
        Self {
            terms: Terms::USUAL,
            flaw: None,
            number,
            state: State::Queued,
            attempts: Vec::new(),
            current: None,
            is_leased: false,
            failures: 0,
            error: None,
            has_content,
            via: None,
            words: None,
            due: Some(0),
            deadline: DEADLINE,
            bodies: BTreeSet::new(),
            deliveries: Vec::new(),
            events: vec!["queued".to_owned()],
        }
    }

    pub fn with(self, terms: Terms, flaw: Option<Flaw>) -> Self {
        Self { terms, flaw, ..self }
    }

    pub fn state(&self) -> State {
        self.state
    }

    fn is_open(&self) -> bool {
        self.due.is_some()
    }

    /// Open, or ended only by us. A job that the provider rejected or failed to analyze is over.
    fn awaits_result(&self) -> bool {
        let is_presumed = !matches!(self.error, Some("validation" | "analysis"));
        match self.state {
            State::Failed => is_presumed && self.flaw != Some(Flaw::PresumedFailureIsFinal),
            state => self.is_open() || state == State::TimedOut,
        }
    }

    fn is_due(&self, now: i64) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    fn happened(&mut self, event: impl Into<String>) {
        self.events.push(event.into());
    }

    fn end(&mut self, state: State) {
        self.state = state;
        self.is_leased = false;
        self.due = None;
    }

    fn queue(&mut self, due: i64) {
        self.state = State::Queued;
        self.is_leased = false;
        self.due = Some(due);
    }

    pub fn can_be_claimed(&self, now: i64) -> bool {
        self.state == State::Queued && self.is_due(now)
    }

    pub fn claim(&mut self, now: i64) -> i32 {
        self.attempts.push(Attempt {
            outcome: "open",
            has_id: false,
            begun: now,
            kept: 0,
            surplus: 0,
        });
        let number = i32::try_from(self.attempts.len()).unwrap();
        self.current = Some(number);
        self.state = State::Submitting;
        self.is_leased = true;
        self.due = Some(now + LEASE);
        self.happened("submitting");
        number
    }

    fn attempt(&mut self, number: i32) -> &mut Attempt {
        &mut self.attempts[usize::try_from(number - 1).unwrap()]
    }

    /// The provider's id of the attempt, once known.
    pub fn known_id(&self, number: i32) -> Option<String> {
        let attempt = &self.attempts[usize::try_from(number - 1).unwrap()];
        attempt.has_id.then(|| provider_job_id(self.number, number))
    }

    /// The attempt's row always gets the true outcome; the job only if it still waits for the
    /// attempt.
    pub fn answer(&mut self, number: i32, answer: Answer, now: i64) -> bool {
        let attempt = self.attempt(number);
        attempt.outcome = match answer {
            Answer::Accepted { with_id } => {
                attempt.has_id |= with_id;
                "accepted"
            }
            Answer::Refused => "refused",
            Answer::Released(RetryReason::Throttled) => "throttled",
            Answer::GivenUp | Answer::Released(RetryReason::Broken) => "broken",
            Answer::Released(RetryReason::Unreachable) => "unreachable",
            Answer::Released(RetryReason::Unauthorized) => "unauthorized",
            Answer::Released(RetryReason::Misdirected) => "misdirected",
            Answer::Unknown => "unknown",
        };
        let is_accepted = matches!(answer, Answer::Accepted { .. });
        // It was queued again only because the response had not come.
        let comes_in_time = is_accepted && self.state == State::Queued;
        if self.current != Some(number) || !(self.state == State::Submitting || comes_in_time) {
            return false;
        }
        self.error = match answer {
            Answer::Accepted { .. } => None,
            Answer::Refused => Some("validation"),
            Answer::GivenUp | Answer::Released(_) | Answer::Unknown => Some("upstream"),
        };
        match answer {
            Answer::Accepted { .. } => {
                self.state = State::Submitted;
                self.is_leased = false;
                self.due = Some(self.deadline.min(now + POLL_AFTER));
                self.happened("submitted");
            }
            Answer::Refused | Answer::GivenUp => {
                self.end(State::Failed);
                self.happened("failed");
            }
            Answer::Released(retry_reason) => {
                // Only a failure of a provider that may have looked at the job counts as an
                // attempt.
                self.failures += u32::from(retry_reason == RetryReason::Broken);
                self.queue(now + BACKOFF);
                let because = self.attempt(number).outcome;
                self.happened(format!("requeued {because}"));
            }
            Answer::Unknown => {
                self.is_leased = false;
                self.due = Some(now + self.unconfirmed_wait());
                self.happened("unconfirmed");
            }
        }
        true
    }

    fn unconfirmed_wait(&self) -> i64 {
        if self.flaw == Some(Flaw::NoUnconfirmedWait) { 0 } else { UNCONFIRMED_WAIT }
    }

    pub fn abandon_lease(&mut self, now: i64) -> bool {
        let applies = self.state == State::Submitting && self.is_leased && self.is_due(now);
        if applies {
            let wait = self.unconfirmed_wait();
            let attempt = self.attempts.last_mut().unwrap();
            attempt.outcome = "unknown";
            self.due = Some(attempt.begun + wait);
            self.is_leased = false;
            self.happened("abandoned");
        }
        applies
    }

    pub fn requeue_unconfirmed(&mut self, now: i64) -> bool {
        let applies = self.state == State::Submitting && !self.is_leased && self.is_due(now);
        if applies {
            self.try_again("unknown", now);
        }
        applies
    }

    fn try_again(&mut self, because: &str, now: i64) {
        self.failures += 1;
        self.error = Some("upstream");
        if self.failures < self.terms.max_attempts {
            self.queue(now);
            self.happened(format!("requeued {because}"));
        } else {
            self.end(State::Failed);
            self.happened(format!("failed {because}"));
        }
    }

    fn latest_known(&self) -> Option<i32> {
        let known = (1..).zip(&self.attempts).filter(|(_, attempt)| attempt.has_id);
        known.map(|(number, _)| number).last()
    }

    pub fn can_be_polled(&self, now: i64) -> bool {
        self.state == State::Submitted && self.is_due(now) && self.latest_known().is_some()
    }

    /// The attempt to poll.
    pub fn claim_poll(&mut self, now: i64) -> (i32, String) {
        let again = now + POLL_AFTER;
        self.due = Some(if self.deadline > now { again.min(self.deadline) } else { again });
        let number = self.latest_known().unwrap();
        (number, provider_job_id(self.number, number))
    }

    pub fn poll_soon(&mut self, now: i64) {
        if self.state == State::Submitted {
            self.due = Some(now.min(self.deadline));
        }
    }

    pub fn lose_attempt(&mut self, number: i32, now: i64) -> bool {
        let applies = self.state == State::Submitted && self.current == Some(number);
        if applies {
            self.try_again("forgotten", now);
        }
        applies
    }

    pub fn expire(&mut self, now: i64) -> bool {
        let was_asked = self.due.is_some_and(|due| due > self.deadline);
        let cannot_ask = self.state != State::Submitted || self.latest_known().is_none();
        let applies = self.is_open() && self.deadline <= now && (was_asked || cannot_ask);
        if applies {
            self.error = Some("timeout");
            self.end(State::TimedOut);
            self.happened("timed_out");
        }
        applies
    }

    pub fn cancel(&mut self) -> bool {
        let applies = self.is_open();
        if applies {
            self.has_content = false;
            self.end(State::Canceled);
            self.happened("canceled");
        }
        applies
    }

    pub fn retry(&mut self, now: i64) -> bool {
        let applies = matches!(self.state, State::Failed | State::TimedOut);
        if applies {
            self.failures = 0;
            self.error = None;
            self.current = None;
            self.deadline = now + DEADLINE;
            self.queue(now);
            self.happened("queued retry");
        }
        applies
    }

    /// The expected content of the job's rows.
    pub fn seen(&self, now: i64) -> Seen {
        let attempt = |(number, attempt): (i32, &Attempt)| SeenAttempt {
            outcome: attempt.outcome.to_owned(),
            provider_job_id: self.known_id(number),
            age: now - attempt.begun,
            surplus: attempt.surplus,
        };
        Seen {
            state: self.state.name().to_owned(),
            version: i64::try_from(self.events.len()).unwrap(),
            failures: self.failures,
            is_leased: self.is_leased,
            error: self.error.map(str::to_owned),
            has_content: self.has_content,
            via: self.via.map(|via| via.name().to_owned()),
            words: self.words.clone(),
            due_in: self.due.map(|due| due - now),
            deadline_in: self.deadline - now,
            attempts: (1..).zip(&self.attempts).map(attempt).collect(),
            deliveries: self.deliveries.iter().map(|outcome| outcome.name().to_owned()).collect(),
            events: self.events.clone(),
        }
    }
}
