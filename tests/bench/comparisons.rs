//! Throughput against bare SQL on the same Postgres, in alternating rounds, and latency at half of
//! it.
use std::sync::Arc;

use uuid::Uuid;

use super::{
    Plan,
    bare::{self, Template},
    calls::Subject,
    payload::Payload,
    pgbench::{self, Script},
    report::{Budget, Line, Sample, median},
};

/// Client counts to try with `pgbench`, and connection counts of the service's clients.
const CLIENTS: [u32; 5] = [2, 4, 8, 16, 32];
/// Connections that send clips: two batches of 100. Calls are so large that a dozen fill a batch.
const CLIP_SENDERS: u32 = 200;
const CALL_SENDERS: u32 = 64;
/// Connections that other systems are measured with, too; see docs/benchmark.md.
const PEER_SENDERS: [u32; 3] = [1, 8, 40];
/// Deliveries by one of them; one connection waits for each commit.
const PEER_SHARE: u32 = 1_000;
/// Connections that submit.
const SUBMITTERS: [u32; 5] = [2, 8, 32, 100, 200];
const P99_MS: f64 = 25.0;

/// Deliveries; returns the numbers of the jobs that have results afterwards.
pub async fn ingest(
    subject: &Subject<'_>,
    plan: &Plan,
    payload: &Payload,
    count: u32,
    lines: &mut Vec<Line>,
) -> anyhow::Result<std::ops::Range<u32>> {
    let Subject { stand, database, store, .. } = *subject;
    let name = payload.name;
    let senders = if payload.body.len() > 65_536 { CALL_SENDERS } else { CLIP_SENDERS };
    let jobs = store.submitted(count).await?;
    let requests = subject.deliveries(payload, jobs.clone())?;
    subject.load(&requests, count, senders).await?; // warms up, and creates the rows to copy
    let done = store.id(jobs.start)?;
    let template = Arc::new(Template::of(&store.pool, done).await?);
    let delivery = pgbench::delivery(store, done).await?;
    let script = Script::new(stand, &format!("delivery-{name}"), &delivery)?;

    let mut writers = Best::default();
    for connections in [1, 2, 4] {
        let jobs = store.submitted(count).await?;
        store.settle().await?;
        writers.offer(connections, bare::write(&template, store, jobs, connections).await?);
    }
    let mut clients = Best::default();
    for number in CLIENTS {
        let first = store.submitted(count / 2).await?.start;
        store.settle().await?;
        clients.offer(number, script.run(stand, database, first, count / 2, number).await?);
    }

    let (mut service, mut bare, mut single) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let requests = subject.deliveries(payload, store.submitted(count).await?)?;
        service.push(subject.load(&requests, count, senders).await?);
        let jobs = store.submitted(count).await?;
        store.settle().await?;
        bare.push(bare::write(&template, store, jobs, writers.number).await?);
        let first = store.submitted(count).await?.start;
        store.settle().await?;
        single.push(script.run(stand, database, first, count, clients.number).await?);
    }
    let sample = Sample::median(&service);
    lines.push(Line::ratio(
        format!("deliver {name}"),
        &sample,
        format!("SQL, 100 a tx, {} connections", writers.number),
        median(bare),
        Budget::AtLeast(0.5),
    ));
    lines.push(Line::ratio(
        format!("deliver {name}"),
        &sample,
        format!("pgbench, 1 a tx, {} clients", clients.number),
        median(single),
        // For a long call the commit hardly matters, on either side.
        if senders == CLIP_SENDERS { Budget::AtLeast(2.5) } else { Budget::None },
    ));
    let requests = subject.deliveries(payload, store.submitted(count).await?)?;
    let run = subject.half_load(&requests, count, sample.per_second).await?;
    lines.push(Line::latency(format!("deliver {name}, half load: p99"), &run, P99_MS));
    Ok(jobs)
}

/// Deliveries of clips over as many connections as other systems are measured with.
pub async fn senders(
    subject: &Subject<'_>,
    plan: &Plan,
    payload: &Payload,
    count: u32,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    if payload.name != "clip" {
        return Ok(());
    }
    for connections in PEER_SENDERS {
        let count = count.min(connections * PEER_SHARE);
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            let requests = subject.deliveries(payload, subject.store.submitted(count).await?)?;
            rounds.push(subject.load(&requests, count, connections).await?);
        }
        let what = format!("deliver {}, {connections} connections", payload.name);
        lines.push(Line::rate(what, &Sample::median(&rounds)));
    }
    Ok(())
}

/// `POST /v1/jobs`.
pub async fn submissions(
    subject: &Subject<'_>,
    plan: &Plan,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    let Subject { stand, database, store, .. } = *subject;
    let caller: Uuid =
        sqlx::query_scalar("select id from aftercall.callers").fetch_one(&store.pool).await?;
    let script = Script::new(stand, "submission", &pgbench::submission(store, caller))?;
    let requests = subject.submissions();
    let count = plan.submissions;
    let rows = Arc::new(bare::Submissions(caller));
    let (mut clients, mut connections, mut writers) =
        (Best::default(), Best::default(), Best::default());
    for (number, submitters) in CLIENTS.into_iter().zip(SUBMITTERS) {
        let first = store.numbers(count).start;
        store.settle().await?;
        clients.offer(number, script.run(stand, database, first, count, number).await?);
        connections.offer(submitters, subject.load(&requests, count, submitters).await?.per_second);
    }
    for number in [1, 2, 4] {
        let jobs = store.numbers(count);
        store.settle().await?;
        writers.offer(number, bare::write(&rows, store, jobs, number).await?);
    }
    let (mut service, mut bare, mut single) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        service.push(subject.load(&requests, count, connections.number).await?);
        let jobs = store.numbers(count);
        store.settle().await?;
        bare.push(bare::write(&rows, store, jobs, writers.number).await?);
        let first = store.numbers(count).start;
        store.settle().await?;
        single.push(script.run(stand, database, first, count, clients.number).await?);
    }
    let sample = Sample::median(&service);
    let name = format!("submit, {} connections", connections.number);
    lines.push(Line::ratio(
        name.clone(),
        &sample,
        format!("SQL, 100 a tx, {} connections", writers.number),
        median(bare),
        Budget::AtLeast(0.7),
    ));
    lines.push(Line::ratio(
        name,
        &sample,
        format!("pgbench, 1 a tx, {} clients", clients.number),
        median(single),
        Budget::AtLeast(2.0),
    ));
    let run = subject.half_load(&requests, count, sample.per_second).await?;
    lines.push(Line::latency("submit, half load: p99", &run, P99_MS));
    Ok(())
}

/// `GET /v1/jobs/{id}/result` for these jobs, whose results come from this payload.
pub async fn reads(
    subject: &Subject<'_>,
    plan: &Plan,
    payload: &Payload,
    jobs: std::ops::Range<u32>,
    count: u32,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    let Subject { stand, database, store, .. } = *subject;
    let name = payload.name;
    let text = pgbench::result(store, jobs.start, jobs.end - 1);
    let script = Script::new(stand, &format!("result-{name}"), &text)?;
    let ids = jobs.map(|n| store.id(n)).collect::<anyhow::Result<Vec<_>>>()?;
    let requests = subject.reads(ids);
    let (mut clients, mut connections) = (Best::default(), Best::default());
    for number in CLIENTS {
        clients.offer(number, script.run(stand, database, 0, count, number).await?);
        connections.offer(number, subject.load(&requests, count, number).await?.per_second);
    }
    let (mut service, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        service.push(subject.load(&requests, count, connections.number).await?);
        bare.push(script.run(stand, database, 0, count, clients.number).await?);
    }
    let sample = Sample::median(&service);
    lines.push(Line::ratio(
        format!("read {name}, {} connections", connections.number),
        &sample,
        format!("pgbench, same row, {} clients", clients.number),
        median(bare),
        Budget::AtLeast(0.5),
    ));
    let run = subject.half_load(&requests, count, sample.per_second).await?;
    lines.push(Line::latency(format!("read {name}, half load: p99"), &run, P99_MS));
    Ok(())
}

/// The best client count so far.
#[derive(Default)]
struct Best {
    number: u32,
    per_second: f64,
}

impl Best {
    fn offer(&mut self, number: u32, per_second: f64) {
        if per_second > self.per_second {
            *self = Self { number, per_second };
        }
    }
}
