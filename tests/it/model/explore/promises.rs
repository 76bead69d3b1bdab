//! The promises, checked against what actually happened, without the reference's rules.
use std::collections::BTreeSet;

use aftercall::{deliveries::Outcome, jobs::State};

use super::{
    super::{
        reference::Job,
        steps::{Answer, UNCONFIRMED_WAIT, What},
    },
    Action,
};

/// The history so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Past {
    attempts: Vec<Attempt>,
    /// Deliveries that got a 200, and status responses, by attempt.
    heard: BTreeSet<(i32, What)>,
    /// Since the last retry, the provider rejected the job or reported the failure of the current attempt.
    is_over: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Attempt {
    is_unanswered: bool,
    fate: Fate,
    /// The caller has retried the job since.
    is_retried: bool,
}

/// The known outcome of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    /// A process waits for the response.
    Open,
    Taken,
    NotTaken,
    Unknown,
    /// Accepted, and later unknown to the provider.
    Forgotten,
}

impl Past {
    pub fn made(&self) -> i32 {
        i32::try_from(self.attempts.len()).unwrap()
    }

    fn attempt(&mut self, number: i32) -> &mut Attempt {
        &mut self.attempts[usize::try_from(number - 1).unwrap()]
    }

    pub fn is_unanswered(&self, number: i32) -> bool {
        self.attempts[usize::try_from(number - 1).unwrap()].is_unanswered
    }

    pub fn reports(&self) -> usize {
        self.heard.len()
    }

    pub fn was_reported(&self, number: i32, what: What) -> bool {
        self.heard.contains(&(number, what))
    }

    /// Whether the job waits for this attempt and no other.
    fn is_in_hand(&self, number: i32) -> bool {
        number == self.made() && self.attempts.last().is_some_and(|last| !last.is_retried)
    }

    pub fn claimed(&mut self) {
        // Earlier attempts no longer matter, except for results they still bring.
        for earlier in &mut self.attempts {
            (earlier.fate, earlier.is_retried) = (Fate::NotTaken, true);
        }
        self.attempts.push(Attempt { is_unanswered: true, fate: Fate::Open, is_retried: false });
    }

    pub fn answered(&mut self, number: i32, answer: Answer, state: State) {
        let is_refused = matches!(answer, Answer::Refused);
        self.is_over |= is_refused && self.is_in_hand(number) && state == State::Submitting;
        let is_last = number == self.made();
        let attempt = self.attempt(number);
        attempt.is_unanswered = false;
        if !is_last {
            return;
        }
        let attempt = self.attempt(number);
        attempt.fate = match answer {
            Answer::Accepted { .. } => Fate::Taken,
            Answer::Refused | Answer::GivenUp | Answer::Released(_) => Fate::NotTaken,
            Answer::Unknown => Fate::Unknown,
        };
    }

    pub fn abandoned(&mut self) {
        self.attempts.last_mut().unwrap().fate = Fate::Unknown;
    }

    pub fn forgotten(&mut self, number: i32) {
        if number == self.made() {
            self.attempt(number).fate = Fate::Forgotten;
        }
    }

    pub fn retried(&mut self) {
        self.is_over = false;
        self.attempts.iter_mut().for_each(|attempt| attempt.is_retried = true);
    }

    /// No second submission, unless the caller retried the job, or the last attempt has no reported end and was
    /// certainly not accepted, was forgotten, or stayed unconfirmed for the configured wait.
    pub fn check_claim(&self, job: &Job) -> Result<(), &'static str> {
        let Some(last) = self.attempts.last() else { return Ok(()) };
        let number = self.made();
        let is_reported = [What::Success(0), What::Failure(0)]
            .iter()
            .any(|what| self.heard.contains(&(number, *what)));
        let may_be_repeated = match last.fate {
            Fate::NotTaken | Fate::Forgotten => true,
            Fate::Unknown => job.age(number, 0) >= UNCONFIRMED_WAIT,
            Fate::Open | Fate::Taken => false,
        };
        if last.is_retried || !is_reported && may_be_repeated {
            return Ok(());
        }
        Err("an attempt is repeated although it may still be taken, or its end was told")
    }

    /// A body about an attempt arrived, and the job's state went from `before` to `after`.
    pub fn heard(
        &mut self,
        number: i32,
        what: What,
        outcomes: &[Outcome],
        before: State,
        after: State,
    ) -> Result<(), &'static str> {
        let is_new = self.heard.insert((number, what));
        let [outcome] = outcomes else { return Err("an answered delivery is not accounted for") };
        if is_new && *outcome == Outcome::Duplicate {
            return Err("a delivery is taken for another attempt's");
        }
        let is_lost = |state| after != state || *outcome != Outcome::Accepted;
        let is_closed = self.is_over || matches!(before, State::Completed | State::Canceled);
        match what {
            What::Success(_) if !is_closed && is_lost(State::Completed) => {
                Err("a paid success is dropped")
            }
            What::Failure(_) if !before.is_final() && self.is_in_hand(number) => {
                self.is_over = true;
                let is_kept = !is_lost(State::Failed);
                is_kept.then_some(()).ok_or("the failure of the attempt in hand is dropped")
            }
            What::Failure(_) if after != before => Err("a failure of another attempt counts"),
            _ => Ok(()),
        }
    }

    /// Final states are final, except for a retry, and for a success after an end that was only presumed.
    pub fn check_end(&self, before: &Job, after: &Job, action: Action) -> Result<(), &'static str> {
        let (before, after) = (before.state(), after.state());
        if !before.is_final() || before == after {
            return Ok(());
        }
        let may_change = match action {
            Action::Retry => matches!(before, State::Failed | State::TimedOut),
            Action::Deliver(_, What::Success(_)) | Action::AnswerPoll(What::Success(_)) => {
                let is_presumed = matches!(before, State::Failed | State::TimedOut);
                is_presumed && !self.is_over && after == State::Completed
            }
            _ => false,
        };
        if may_change { Ok(()) } else { Err("a final state changes") }
    }
}
