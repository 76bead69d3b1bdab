//! What a transaction did, to be counted once it has committed: a transaction that rolls back counts nothing, and one
//! that is repeated in parts counts once.
use super::{Metrics, jobs::Spent};

/// A job that reached a final state.
#[derive(Debug, Clone)]
pub struct FinishedJob {
    pub status: &'static str,
    /// The class of its error; `none` without one.
    pub error_class: &'static str,
    /// The channel of its result; `none` without one.
    pub completed_via: &'static str,
    pub spent: Option<Spent>,
}

/// Collects without counting.
#[derive(Debug, Default)]
pub struct Tally {
    created: Vec<String>,
    finished: Vec<FinishedJob>,
    callbacks: Vec<&'static str>,
    deduplicated: Vec<String>,
    idempotency: Vec<&'static str>,
    recovered: u64,
}

impl Tally {
    /// A job of this caller was created.
    pub fn created(&mut self, caller: &str) {
        self.created.push(caller.to_owned());
    }

    /// This caller got an existing job of the same recording.
    pub fn deduplicated(&mut self, caller: &str) {
        self.deduplicated.push(caller.to_owned());
    }

    pub fn finished(&mut self, jobs: impl IntoIterator<Item = FinishedJob>) {
        self.finished.extend(jobs);
    }

    /// A delivery on the webhook was stored, or counted as surplus.
    pub fn callback(&mut self, outcome: &'static str) {
        self.callbacks.push(outcome);
    }

    /// What became of a request's idempotency key.
    pub fn idempotency(&mut self, outcome: &'static str) {
        self.idempotency.push(outcome);
    }

    /// A job was ended by a poll, because no delivery had done so.
    pub fn recovered(&mut self) {
        self.recovered += 1;
    }
}

impl Metrics {
    /// Counts what a transaction did that has committed.
    pub fn add(&self, tally: Tally) {
        let Tally { created, finished, callbacks, deduplicated, idempotency, recovered } = tally;
        for caller in created {
            self.created(&caller);
        }
        for caller in deduplicated {
            self.deduplicated(&caller);
        }
        for job in finished {
            self.finished(&job);
        }
        for outcome in callbacks {
            self.callback(outcome);
        }
        for outcome in idempotency {
            self.idempotency(outcome);
        }
        self.recovered(recovered);
    }
}
