//! The benchmark: Aftercall against bare SQL on the same Postgres, side by side in one run, and the
//! budgets it must meet. Starts everything it needs and removes it afterwards. See
//! docs/benchmark.md.
mod actions;
mod bare;
mod calls;
mod captured;
mod comparisons;
mod exports;
mod growth;
mod library;
mod load;
mod notifications;
mod overhead;
mod payload;
mod pgbench;
mod procfs;
mod queries;
mod report;
mod stand;
mod store;
mod upkeep;
mod wal;
mod words;

use std::{path::PathBuf, time::Duration};

use clap::Parser;

use calls::Subject;
use queries::Side;
use report::{Budget, Line};
use stand::{Database, Service, Stand};
use store::Store;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Debug, Parser)]
#[command(name = "budgets")]
struct Args {
    /// A minute instead of a quarter of an hour; the figures mean little.
    #[arg(long)]
    quick: bool,
    /// Turns of each side; an odd number.
    #[arg(long)]
    rounds: Option<u32>,
    /// Requests of one kind of query, 1,000 otherwise.
    #[arg(long)]
    questions: Option<u32>,
    /// Stored jobs where it is about many of them, 1,000,000 otherwise.
    #[arg(long)]
    jobs: Option<u32>,
    /// Leave out the comparison of a million jobs with ten thousand.
    #[arg(long)]
    no_growth: bool,
    /// Only these, separated by commas: start, clip, call, submit, read, growth, overhead, notify; or
    /// wal or upkeep, which are left out otherwise; or queries, which are, too, and of them only
    /// those whose names begin with one of the others.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Write the table there as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the database is made: on a disk, or fsync means nothing.
    #[arg(long, value_name = "FOLDER", default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// A setting of the service, such as ingest.writers=4; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Leave the files there.
    #[arg(long)]
    keep: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    fn plan(&self) -> Plan {
        let plan = if self.quick { QUICK } else { FULL };
        Plan {
            rounds: self.rounds.unwrap_or(plan.rounds),
            questions: self.questions.unwrap_or(plan.questions),
            many: self.jobs.unwrap_or(plan.many),
            ..plan
        }
    }

    /// Whether `--only` has this part.
    fn names(&self, part: &str) -> bool {
        self.only.iter().any(|only| only == part)
    }
}

/// The size of each measurement.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: u32,
    /// Starts of the service.
    pub starts: u32,
    /// Calls per round.
    pub clips: u32,
    pub calls: u32,
    pub submissions: u32,
    pub reads: u32,
    pub call_reads: u32,
    /// Stored jobs for the growth comparison.
    pub few: u32,
    pub many: u32,
    /// Requests per kind of query.
    pub questions: u32,
    /// Messages to endpoints, per round.
    pub notifications: u32,
}

const FULL: Plan = Plan {
    rounds: 5,
    starts: 9,
    clips: 8_000,
    calls: 400,
    submissions: 8_000,
    reads: 20_000,
    call_reads: 3_000,
    few: 10_000,
    many: 1_000_000,
    questions: 1_000,
    notifications: 100_000,
};
const QUICK: Plan = Plan {
    rounds: 1,
    starts: 3,
    clips: 1_000,
    calls: 100,
    submissions: 1_000,
    reads: 2_000,
    call_reads: 200,
    few: 1_000,
    many: 10_000,
    questions: 100,
    notifications: 10_000,
};

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let stand = Stand::start(&args.folder, &args.set).await?;
        let done = tokio::select! {
            done = measure(&args, &stand) => done,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        stand.stop(args.keep).await?;
        done
    })
}

async fn measure(args: &Args, stand: &Stand) -> anyhow::Result<()> {
    let plan = &args.plan();
    let mut table = Table::default();
    if args.names("queries") {
        ask(stand, plan, &args.only, &mut table).await?;
    } else if args.names("upkeep") {
        upkeep::upkeep(stand, plan, |line| table.add(line)).await?;
    } else {
        budgets(args, stand, plan, &mut table).await?;
    }
    table.write(args)
}

async fn budgets(args: &Args, stand: &Stand, plan: &Plan, table: &mut Table) -> anyhow::Result<()> {
    let wants = |what: &str| args.only.is_empty() || args.names(what);
    let database = stand.database("few").await?;
    let store = Store::new(database.pool.clone());
    store.seed(plan.few).await?;
    if wants("start") {
        table.add(starts(stand, &database, plan).await?);
    }
    let service = Service::start(stand, &database).await?;
    let subject = Subject { stand, database: &database, store: &store, service: &service };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = service.process.resident_mib()?;
    table.add(Line::figure("memory, idle", idle, "MiB", Budget::AtMost(40.0)));
    if args.names("wal") {
        let mut lines = Vec::new();
        wal::written(&subject, plan, &mut lines).await?;
        table.extend(lines);
    }
    for (payload, count, reads) in
        [(payload::clip(), plan.clips, plan.reads), (payload::call(), plan.calls, plan.call_reads)]
    {
        if !wants(payload.name) && !wants("read") {
            continue;
        }
        let mut lines = Vec::new();
        let jobs = comparisons::ingest(&subject, plan, &payload, count, &mut lines).await?;
        comparisons::senders(&subject, plan, &payload, count, &mut lines).await?;
        table.extend(lines);
        let (what, most) = (format!("memory, under {}s", payload.name), Budget::AtMost(150.0));
        table.add(Line::figure(what, service.process.peak_mib()?, "MiB", most));
        let mut lines = Vec::new();
        comparisons::reads(&subject, plan, &payload, jobs, reads, &mut lines).await?;
        table.extend(lines);
    }
    if wants("submit") {
        let mut lines = Vec::new();
        comparisons::submissions(&subject, plan, &mut lines).await?;
        table.extend(lines);
    }
    if wants("growth") && !args.no_growth {
        let mut lines = Vec::new();
        grow(&subject, plan, &mut lines).await?;
        table.extend(lines);
    }
    if wants("overhead") {
        overhead::overhead(stand, plan, |line| table.add(line)).await?;
    }
    if wants("notify") {
        notifications::notifications(stand, plan, |line| table.add(line)).await?;
    }
    Ok(())
}

/// Queries a large library of conversations and a small one.
///
/// `only`: `queries`, optionally with prefixes of the query names to run.
async fn ask(stand: &Stand, plan: &Plan, only: &[String], table: &mut Table) -> anyhow::Result<()> {
    let wants = |name: &str| only.len() == 1 || only.iter().any(|only| name.starts_with(only));
    let few = Side::new(stand, "few", plan.few).await?;
    let started = std::time::Instant::now();
    let many = Side::new(stand, "many", plan.many).await?;
    let took = started.elapsed().as_secs_f64();
    table.add(Line::figure(format!("{} jobs loaded", plan.many), took, "s", Budget::None));
    queries::questions(stand, &few, &many, plan, wants, |line| table.add(line)).await?;
    if wants("export") {
        exports::exports(&many, plan.rounds.min(3), |line| table.add(line)).await?;
    }
    if wants("actions") {
        actions::actions(&many, |line| table.add(line)).await?;
    }
    Ok(())
}

/// From process start to ready, with a database that is up and migrated.
async fn starts(stand: &Stand, database: &Database, plan: &Plan) -> anyhow::Result<Line> {
    let mut times = Vec::new();
    for _ in 0..plan.starts {
        times.push(Service::start(stand, database).await?.ready_after.as_secs_f64() * 1e3);
    }
    Ok(Line::figure("start to ready", report::median(times), "ms", Budget::AtMost(300.0)))
}

async fn grow(few: &Subject<'_>, plan: &Plan, lines: &mut Vec<Line>) -> anyhow::Result<()> {
    let database = few.stand.database("many").await?;
    let store = Store::new(database.pool.clone());
    store.seed(plan.many).await?;
    let service = Service::start(few.stand, &database).await?;
    let many = Subject { stand: few.stand, database: &database, store: &store, service: &service };
    growth::growth(few, &many, plan, lines).await
}

/// Prints each line as soon as it is measured.
#[derive(Default)]
struct Table {
    lines: Vec<Line>,
}

impl Table {
    #[expect(clippy::print_stdout, reason = "the table is this program's output")]
    fn add(&mut self, line: Line) {
        if self.lines.is_empty() {
            println!("{}", report::header());
        }
        println!("{line}");
        self.lines.push(line);
    }

    fn write(&self, args: &Args) -> anyhow::Result<()> {
        if let Some(path) = &args.json {
            std::fs::write(path, serde_json::to_string_pretty(&self.lines)?)?;
        }
        Ok(())
    }

    fn extend(&mut self, lines: Vec<Line>) {
        for line in lines {
            self.add(line);
        }
    }
}
