//! Everything that can happen to one job in a small world, in every order: a breadth-first search of the reference's
//! states, so that the first violation found is the shortest. The random cases check that Postgres behaves like the
//! reference.
//!
//! The world: three attempts, the third only after a retry or where it was justified; three bodies, reported for any
//! attempt in equal bytes; a webhook, polls, processes that hang, the clock, and a caller.
mod promises;

use std::{
    collections::{HashSet, VecDeque},
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher as _},
    io::Write as _,
};

use aftercall::jobs::{Channel, RetryReason, State};

use self::promises::Past;
use super::{
    reference::{Arrived, Flaw, Job, Terms},
    steps::{Answer, DEADLINE, Id, Report, What},
};

const MOST_ATTEMPTS: i32 = 3;
const MOST_RETRIES: u8 = 1;
/// Distinct bodies; each may be repeated at any time.
const MOST_REPORTS: usize = 3;
/// Two failed attempts are the limit; every delivery is stored.
const TERMS: Terms = Terms { max_attempts: 2, attempt_deliveries: u32::MAX };

const BODIES: [What; 3] = [What::Success(0), What::Failure(0), What::Noise(0)];
const ANSWERS: [Answer; 6] = [
    Answer::Accepted { with_id: true },
    Answer::Accepted { with_id: false },
    Answer::Refused,
    Answer::GivenUp,
    Answer::Released(RetryReason::Throttled),
    Answer::Unknown,
];

#[derive(Debug, Clone, Copy)]
pub enum Action {
    Claim,
    Answer(i32, Answer),
    Deliver(i32, What),
    ClaimPoll,
    AnswerPoll(What),
    AbandonLease,
    RequeueUnconfirmed,
    Expire,
    Cancel,
    Retry,
    /// Time passes until the job is due.
    Pass,
    /// Time passes until its deadline.
    PassDeadline,
}

/// The job, with the part of its history that promises refer to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    job: Job,
    past: Past,
    /// The attempt whose status is being polled.
    asking: Option<i32>,
    retries: u8,
}

impl Node {
    fn first(flaw: Option<Flaw>) -> Self {
        let mut job = Job::new(0, false).with(TERMS, flaw);
        job.forget(0);
        Self { job, past: Past::default(), asking: None, retries: 0 }
    }

    fn is_over(&self) -> bool {
        matches!(self.job.state(), State::Completed | State::Canceled)
    }

    fn actions(&self) -> Vec<Action> {
        let mut actions = vec![
            Action::AbandonLease,
            Action::RequeueUnconfirmed,
            Action::Expire,
            Action::Cancel,
            Action::Pass,
            Action::PassDeadline,
        ];
        let made = self.past.made();
        if made < MOST_ATTEMPTS && self.job.can_be_claimed(0) {
            actions.push(Action::Claim);
        }
        for attempt in 1..=made {
            let may_come = BODIES.into_iter().filter(|what| self.may_be_reported(attempt, *what));
            actions.extend(may_come.map(|what| Action::Deliver(attempt, what)));
            if self.past.is_unanswered(attempt) {
                // For an earlier attempt only its id still matters.
                let most = if attempt == made { ANSWERS.len() } else { 1 };
                let answers = &ANSWERS[..most];
                actions.extend(answers.iter().map(|answer| Action::Answer(attempt, *answer)));
            }
        }
        match self.asking {
            Some(attempt) => {
                let ends = [What::Success(0), What::Failure(0)].into_iter();
                let ends = ends.filter(|what| self.may_be_reported(attempt, *what));
                let report = ends.chain([What::InProgress, What::Nothing]);
                actions.extend(report.map(Action::AnswerPoll));
            }
            None if self.job.can_be_polled(0) => actions.push(Action::ClaimPoll),
            None => {}
        }
        if self.retries < MOST_RETRIES {
            actions.push(Action::Retry);
        }
        actions
    }

    /// An unreadable body only brings the next poll forward, whichever attempt it belongs to.
    fn may_be_reported(&self, attempt: i32, what: What) -> bool {
        if attempt > 1 && matches!(what, What::Noise(_)) {
            return false;
        }
        self.past.reports() < MOST_REPORTS || self.past.was_reported(attempt, what)
    }

    /// The state after the action, and the promise it breaks, if any.
    fn after(&self, action: Action) -> (Self, Result<(), &'static str>) {
        let mut next = self.clone();
        let mut minutes = 0;
        let mut kept = Ok(());
        match action {
            Action::Claim => {
                kept = self.past.check_claim(&self.job);
                next.job.claim(0);
                next.past.claimed();
            }
            Action::Answer(attempt, answer) => {
                next.past.answered(attempt, answer, self.job.state());
                next.job.answer(attempt, answer, 0);
            }
            Action::Deliver(attempt, what) => {
                kept = next.hear(attempt, Channel::Webhook, what);
            }
            Action::ClaimPoll => next.asking = Some(next.job.claim_poll(0).0),
            Action::AnswerPoll(what) => {
                let attempt = next.asking.take().unwrap();
                match what {
                    What::InProgress => {}
                    What::Nothing => {
                        next.past.forgotten(attempt);
                        next.job.lose_attempt(attempt, 0);
                    }
                    what => kept = next.hear(attempt, Channel::Poll, what),
                }
            }
            Action::AbandonLease => {
                if next.job.abandon_lease(0) {
                    next.past.abandoned();
                }
            }
            Action::RequeueUnconfirmed => drop(next.job.requeue_unconfirmed(0)),
            Action::Expire => drop(next.job.expire(0)),
            Action::Cancel => drop(next.job.cancel()),
            Action::Retry => {
                if next.job.retry(0) {
                    next.retries += 1;
                    next.past.retried();
                }
            }
            Action::Pass => minutes = self.job.due_in(0),
            Action::PassDeadline => minutes = DEADLINE,
        }
        let kept = kept.and_then(|()| self.past.check_end(&self.job, &next.job, action));
        next.job.forget(minutes);
        (next, kept)
    }

    fn hear(&mut self, attempt: i32, via: Channel, what: What) -> Result<(), &'static str> {
        let report = Report { what, id: Id::Missing };
        let expected = self.job.known_id(attempt);
        let before = self.job.state();
        let outcomes = self.job.receive(&[Arrived { attempt, via, expected, report }], 0);
        self.past.heard(attempt, what, &outcomes, before, self.job.state())
    }
}

/// The result of an exploration.
struct Exploration {
    states: usize,
    /// The broken promise and the actions that led there.
    violation: Option<(&'static str, Vec<Action>)>,
}

fn explore(flaw: Option<Flaw>) -> Exploration {
    let first = Node::first(flaw);
    // Digests stand for states: with a million states, two collide once in ten million runs.
    let mut seen = HashSet::from([digest(&first)]);
    let mut reached: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut todo = VecDeque::from([(0, first)]);
    while let Some((number, node)) = todo.pop_front() {
        for action in node.actions() {
            let (next, kept) = node.after(action);
            if let Err(promise) = kept {
                let mut path = vec![action];
                let mut at = number;
                while let (before, Some(action)) = reached[at] {
                    path.push(action);
                    at = before;
                }
                path.reverse();
                return Exploration { states: seen.len(), violation: Some((promise, path)) };
            }
            // Behind a final state that nothing may change, the search goes only one step deep.
            if seen.insert(digest(&next)) && !(node.is_over() && next.is_over()) {
                todo.push_back((reached.len(), next));
                reached.push((number, Some(action)));
            }
        }
    }
    Exploration { states: seen.len(), violation: None }
}

fn digest(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    hasher.finish()
}

/// Bypasses the test harness's capture, to show the size of the search.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "exhaustive exploration of a job: {text}");
}

#[test]
fn in_no_order_is_a_promise_broken() {
    let Exploration { states, violation } = explore(None);
    tell(&format!("{states} states"));
    assert!(violation.is_none(), "{violation:#?}");
    assert!(states > 10_000, "only {states} states: is anything left out?");
}

#[test]
fn whatever_is_done_wrong_is_found() {
    let mut text = String::new();
    for flaw in [
        Flaw::DuplicatesOfAnyAttempt,
        Flaw::DuplicatesAfterRetry,
        Flaw::PresumedFailureIsFinal,
        Flaw::FailureOfAnyAttempt,
        Flaw::NoUnconfirmedWait,
    ] {
        let Exploration { states, violation } = explore(Some(flaw));
        let Some((promise, path)) = violation else { panic!("{flaw:?} is not found") };
        write!(text, "\n  {flaw:?} after {states} states: {promise}: {path:?}").unwrap();
    }
    tell(&text);
}
