//! The same calls with a million stored jobs and with ten thousand: two databases and two services
//! on one Postgres, in alternating rounds.
use super::{
    Plan,
    calls::Subject,
    payload,
    report::{Budget, Line, Sample, median},
};

/// Number of distinct jobs that are read.
const READ: u32 = 5_000;
const CONNECTIONS: u32 = 16;
const SENDERS: u32 = 200;

pub async fn growth(
    few: &Subject<'_>,
    many: &Subject<'_>,
    plan: &Plan,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    let mut sides = [Side::new(few).await?, Side::new(many).await?];
    for side in &sides {
        side.round(plan).await?; // warms up
    }
    for _ in 0..plan.rounds {
        for side in &mut sides {
            let round = side.round(plan).await?;
            side.rounds.push(round);
        }
    }
    let [few, many] = sides;
    for (n, what) in ["deliver clip", "submit", "read"].iter().enumerate() {
        let of = |side: &Side| {
            let samples: Vec<Sample> = side.rounds.iter().map(|round| round[n]).collect();
            Sample::median(&samples)
        };
        let slower = median(
            few.rounds.iter().zip(&many.rounds).map(|(a, b)| a[n].per_second / b[n].per_second),
        );
        let with = format!("{} jobs", plan.few);
        let most = Budget::AtMost(1.3);
        let (few, many) = (of(&few), of(&many));
        let line =
            Line::ratio(format!("{what}, {} jobs", plan.many), &many, with, few.per_second, most);
        lines.push(Line { value: slower, met: slower <= 1.3, ..line });
    }
    Ok(())
}

struct Side<'a> {
    subject: &'a Subject<'a>,
    read: Vec<uuid::Uuid>,
    rounds: Vec<[Sample; 3]>,
}

impl<'a> Side<'a> {
    async fn new(subject: &'a Subject<'a>) -> anyhow::Result<Self> {
        let read = subject.store.completed(READ).await?;
        Ok(Self { subject, read, rounds: Vec::new() })
    }

    /// Deliveries, submissions, reads.
    async fn round(&self, plan: &Plan) -> anyhow::Result<[Sample; 3]> {
        let Subject { store, .. } = *self.subject;
        let jobs = store.submitted(plan.clips).await?;
        let deliveries = self.subject.deliveries(&payload::clip(), jobs)?;
        let reads = self.subject.reads(self.read.iter().copied());
        Ok([
            self.subject.load(&deliveries, plan.clips, SENDERS).await?,
            self.subject.load(&self.subject.submissions(), plan.submissions, CONNECTIONS).await?,
            self.subject.load(&reads, plan.reads, CONNECTIONS).await?,
        ])
    }
}
