//! Proves from the sandbox's ledger and the database alone that nothing was lost, made up or paid
//! for twice.
mod deliveries;
mod ends;
mod expected;
mod keys;
pub mod ledger;
pub mod records;
mod results;
mod submissions;
mod timelines;

use std::{fmt, time::Duration};

use sqlx::PgConnection;
use uuid::Uuid;

use self::{
    ledger::{Acceptance, Ledger},
    records::{Attempt, Event, Job, Records},
};
use super::callers::Receipts;

/// Something that must not happen.
#[derive(Debug)]
pub struct Violation {
    pub job: Option<Uuid>,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.job {
            Some(job) => write!(f, "job {job}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

pub fn list(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("\n")
}

/// One job with everything known about it.
struct Case<'a> {
    id: Uuid,
    job: &'a Job,
    /// Submissions for it that the sandbox accepted.
    accepted: Vec<&'a Acceptance>,
    found: &'a mut Vec<Violation>,
}

impl<'a> Case<'a> {
    fn wrong(&mut self, what: impl Into<String>) {
        self.found.push(Violation { job: Some(self.id), what: what.into() });
    }

    /// Reports `what` unless `holds`.
    fn check(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.wrong(what);
        }
    }

    /// The attempts since its caller last retried it.
    fn latest(&self) -> &'a [Attempt] {
        let is_retry = |event: &Event| event.detail["because"] == "retry";
        let last = self.job.events.iter().rposition(is_retry).unwrap_or(0);
        let before = self.job.events[..last].iter().filter(|event| event.kind == "submitting");
        self.job.attempts.get(before.count()..).unwrap_or_default()
    }

    fn attempt(&self, number: i32) -> Option<&'a Attempt> {
        self.job.attempts.iter().find(|attempt| attempt.number == number)
    }

    /// What the sandbox accepted under the token of this attempt.
    fn accepted_for(&self, number: i32) -> Option<&'a Acceptance> {
        let token_sha = &self.attempt(number)?.token_sha;
        self.accepted.iter().copied().find(|acceptance| acceptance.token_sha == *token_sha)
    }
}

/// All violations in a quiescent database, given the ledger of its sandbox.
pub async fn violations(
    db: &mut PgConnection,
    ledger: &Ledger,
    unconfirmed_wait: Duration,
) -> Vec<Violation> {
    let records = Records::load(db).await;
    let mut found = Vec::new();
    for (table, job) in &records.orphans {
        let what = format!("{table} has a row of a job that is not there");
        found.push(Violation { job: Some(*job), what });
    }
    for acceptance in &ledger.acceptances {
        if !records.jobs.contains_key(&acceptance.job_id) {
            let what = "the provider accepted a job that is not there".to_owned();
            found.push(Violation { job: Some(acceptance.job_id), what });
        }
    }
    for (id, job) in &records.jobs {
        let accepted = ledger.of_job(*id).collect();
        let mut case = Case { id: *id, job, accepted, found: &mut found };
        ends::check(&mut case);
        results::check(&mut case);
        submissions::check(&mut case, unconfirmed_wait);
        deliveries::check(&mut case);
        timelines::check(&mut case);
    }
    keys::check(&records, &mut found);
    found
}

/// Confirmations to callers that are not true.
pub async fn receipts(db: &mut PgConnection, receipts: &Receipts) -> Vec<Violation> {
    let records = Records::load(db).await;
    keys::compare(&records, receipts)
}
