//! A form in which jobs that behave alike from now on are equal.
use super::{DEADLINE, Job, UNCONFIRMED_WAIT};

impl Job {
    /// Shifts `now` to 0 and drops the history. A deadline that has not passed counts as being at its full distance,
    /// since the explorer chooses when it passes. Of what has passed only the order matters, and of attempts only what
    /// later steps read.
    pub fn forget(&mut self, now: i64) {
        // Whether it was polled once more after its deadline.
        let was_asked = self.due.is_some_and(|due| due > self.deadline);
        self.deadline = if self.deadline > now { DEADLINE } else { -i64::from(was_asked) };
        self.due = self.due.map(|due| (due - now).max(0));
        let last = self.attempts.len();
        for (number, attempt) in (1..).zip(&mut self.attempts) {
            let begun = (attempt.begun - now).max(-UNCONFIRMED_WAIT);
            attempt.begun = if number == last { begun } else { 0 };
            (attempt.outcome, attempt.kept, attempt.surplus) = ("", 0, 0);
        }
        self.deliveries.clear();
        self.events.clear();
        (self.via, self.words) = (None, None);
    }

    /// Minutes until it is due.
    pub fn due_in(&self, now: i64) -> i64 {
        self.due.map_or(0, |due| (due - now).max(0))
    }

    pub fn age(&self, number: i32, now: i64) -> i64 {
        now - self.attempts[usize::try_from(number - 1).unwrap()].begun
    }
}
