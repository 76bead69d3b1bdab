//! What happened, in figures and, for violations, in full.
use std::{collections::BTreeSet, fmt, fmt::Write as _};

use sqlx::PgConnection;

use super::check::{
    Violation,
    ledger::Ledger,
    records::{Job, Records},
};

/// Number of jobs whose full history is printed.
const STORIES: usize = 3;

/// Counts in the report: title and query.
const COUNTS: [(&str, &str); 6] = [
    ("jobs", "select state, count(*) from aftercall.jobs group by 1 order by 1"),
    (
        "completed via",
        "select completed_via, count(*) from aftercall.jobs
         where completed_via is not null group by 1 order by 1",
    ),
    ("deliveries", "select outcome, count(*) from aftercall.deliveries group by 1 order by 1"),
    (
        "told alike",
        "select 'bodies of several attempts', count(*) from (
            select from aftercall.deliveries where via = 'webhook' group by job_id, body_sha
            having count(distinct attempt) > 1) alike",
    ),
    ("attempts", "select outcome, count(*) from aftercall.attempts group by 1 order by 1"),
    (
        "repeated because",
        "select detail->>'because', count(*) from aftercall.job_events
         where kind = 'requeued' group by 1 order by 1",
    ),
];

pub struct Report(String);

impl Report {
    pub async fn of(db: &mut PgConnection, ledger: &Ledger) -> Self {
        let mut text = String::new();
        for (name, query) in COUNTS {
            let counts: Vec<(String, i64)> =
                sqlx::query_as(query).fetch_all(&mut *db).await.unwrap();
            let counts = counts.iter().map(|(what, count)| format!("{count} {what}"));
            writeln!(text, "  {name}: {}", counts.collect::<Vec<_>>().join(", ")).unwrap();
        }
        let accepted = ledger.acceptances.len();
        let jobs: BTreeSet<_> = ledger.acceptances.iter().map(|accepted| accepted.job_id).collect();
        let sent = || ledger.acceptances.iter().flat_map(|accepted| &accepted.sent);
        let answered = |status| sent().filter(|sent| sent.answer == status).count();
        write!(
            text,
            "  the provider accepted {accepted} submissions for {} jobs and delivered {} times: \
             {} got 200, {} 503, {} no answer",
            jobs.len(),
            sent().count(),
            answered(Some(200)),
            answered(Some(503)),
            answered(None),
        )
        .unwrap();
        Self(text)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The full history of the first jobs with violations.
pub async fn stories(db: &mut PgConnection, ledger: &Ledger, wrong: &[Violation]) -> String {
    let records = Records::load(db).await;
    let jobs: BTreeSet<_> = wrong.iter().filter_map(|violation| violation.job).collect();
    let mut text = String::new();
    for id in jobs.into_iter().take(STORIES) {
        let Some(job) = records.jobs.get(&id) else { continue };
        let Job { state, external_id, error, events, attempts, deliveries, .. } = job;
        writeln!(text, "\njob {id} ({external_id:?}) is {state}, error {error:?}").unwrap();
        for event in events {
            writeln!(text, "  {} {} {}", event.seq, event.kind, event.detail).unwrap();
        }
        for attempt in attempts {
            let (number, outcome) = (attempt.number, &attempt.outcome);
            writeln!(text, "  attempt {number} {outcome} {:?}", attempt.provider_job_id).unwrap();
        }
        for delivery in deliveries {
            let (attempt, via) = (delivery.attempt, &delivery.via);
            writeln!(text, "  delivery of {attempt} via {via}: {}", delivery.outcome).unwrap();
        }
        for accepted in ledger.of_job(id) {
            let answers: Vec<_> = accepted.sent.iter().map(|sent| sent.answer).collect();
            let (id, faults) = (&accepted.provider_job_id, &accepted.faults);
            writeln!(text, "  provider job {id}: {faults:?}, answers {answers:?}").unwrap();
        }
    }
    text
}
