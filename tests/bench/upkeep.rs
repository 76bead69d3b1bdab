//! What happens to a large database beside its normal work: migrations from an early version, and retention.
//!
//! Probes do meanwhile what the service does, and give up on a lock after [`PATIENCE`]: each time they do is a lock that
//! held up callers for longer.
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use aftercall::{
    config::RetentionSettings,
    db,
    jobs::Announcer,
    metrics::Metrics,
    retention::{Applied, Retention},
};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, postgres::PgConnectOptions,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Plan,
    calls::Subject,
    load, payload,
    report::{Budget, Line},
    stand::{Service, Stand},
    store::Store,
};

/// The earliest version whose databases are upgraded in tests.
const OLDEST: i64 = 12;
const PATIENCE: &str = "100ms";
/// Pause between two transactions of a probe.
const PAUSE: Duration = Duration::from_millis(5);
/// Deliveries per second beside retention, and how many before it begins.
const RATE: f64 = 300.0;
const BEFORE: u32 = 3_000;
/// How much of last month is due, in addition to the whole month before.
const DUE_OF_MONTH: Duration = Duration::from_hours(24);
/// A caller, this month's partitions and those of the two months before.
const EARLY: &str = "
insert into aftercall.callers (id, name) values (gen_random_uuid(), 'bench');
select aftercall.ensure_partitions(1);
do $$
declare
    first constant timestamp := date_trunc('month', now() at time zone 'UTC') - interval '2 months';
    parent text;
begin
    for parent in
        select relname from pg_partitioned_table join pg_class on oid = partrelid
        where relnamespace = 'aftercall'::regnamespace
    loop
        execute format('create table aftercall.%I partition of aftercall.%I for values from (%L) to (%L)',
            parent || to_char(first, '_\"y\"YYYY\"m\"MM'), parent,
            aftercall.uuid_floor(first at time zone 'UTC'),
            aftercall.uuid_floor((first + interval '1 month') at time zone 'UTC'));
    end loop;
end
$$";
/// How many seconds ago the month before last began, and the last one.
const AGES: &str = "
select extract(epoch from now() - (month - interval '2 months') at time zone 'UTC')::float8,
    extract(epoch from now() - (month - interval '1 month') at time zone 'UTC')::float8
from date_trunc('month', now() at time zone 'UTC') as month";

pub async fn upkeep(stand: &Stand, plan: &Plan, mut show: impl FnMut(Line)) -> anyhow::Result<()> {
    let pool = stand.empty("aged").await?;
    db::MIGRATOR.run_to(OLDEST, &pool).await?;
    sqlx::raw_sql(EARLY).execute(&pool).await?;
    let store = Store::new(pool.clone());
    let (oldest, last_month) = sqlx::query_as(AGES).fetch_one(&pool).await?;
    store.seed_since(plan.many, Duration::from_secs_f64(oldest)).await?;

    let started = Instant::now();
    let probes = Probes::start(&stand.options("aged")?);
    db::migrate(&pool).await?;
    let took = started.elapsed();
    probes.stop("migrations", plan, took, &mut show).await?;

    let database = stand.ready("aged", pool).await?;
    let service = Service::start(stand, &database).await?;
    let subject = Subject { stand, database: &database, store: &store, service: &service };
    let before = deliver(&subject, BEFORE).await?;
    show(beside("deliveries before retention: p99", &before));
    let started = Instant::now();
    let probes = Probes::start(&stand.options("aged")?);
    let age = Duration::from_secs_f64(last_month).saturating_sub(DUE_OF_MONTH);
    let retention = tokio::spawn(apply(database.pool.clone(), age));
    let mut during = Vec::new();
    while !retention.is_finished() {
        during.push(deliver(&subject, BEFORE).await?);
    }
    let applied = retention.await??;
    let took = started.elapsed();
    probes.stop("retention", plan, took, &mut show).await?;
    let rows = u32::try_from(applied.rows.values().sum::<u64>())?;
    show(Line::figure("rows that retention deleted", rows.into(), "", Budget::None));
    let dropped = u32::try_from(applied.partitions_dropped)?;
    let least = Budget::AtLeast(1.0);
    show(Line::figure("partitions that retention dropped", dropped.into(), "", least));
    for run in &during {
        show(beside("deliveries during retention: p99", run));
    }
    Ok(())
}

/// They share the disk and the processors with it, so there is no budget.
fn beside(what: &str, run: &load::Run) -> Line {
    Line { budget: Budget::None, ..Line::latency(what, run, f64::INFINITY) }
}

/// Jobs of this age are due.
async fn apply(db: PgPool, age: Duration) -> sqlx::Result<Applied> {
    let settings = RetentionSettings {
        partitions_ahead: 3,
        deliveries: None,
        results: None,
        timeline: None,
        contents: None,
        media: None,
        notifications: None,
        jobs: Some(age),
    };
    let (announcer, metrics) = (Announcer::default(), Metrics::default());
    Retention { db, settings, media: None, announcer, metrics }.apply().await
}

async fn deliver(subject: &Subject<'_>, count: u32) -> anyhow::Result<load::Run> {
    let jobs = subject.store.submitted(count).await?;
    let deliveries = subject.deliveries(&payload::clip(), jobs)?;
    load::open(&deliveries, count, 64, RATE).await
}

/// A session that writes as submissions and deliveries do, and one that reads.
struct Probes {
    stop: CancellationToken,
    running: Vec<(&'static str, JoinHandle<sqlx::Result<Seen>>)>,
}

/// What a probe has seen.
#[derive(Debug, Default)]
struct Seen {
    transactions: u32,
    longest: Duration,
    /// The last migration that was applied, at each lock that took too long.
    over: Vec<i64>,
}

impl Probes {
    fn start(options: &PgConnectOptions) -> Self {
        let options = options.clone().options([("lock_timeout", PATIENCE)]);
        let stop = CancellationToken::new();
        let running = [("writes", write as fn() -> String), ("reads", read)]
            .map(|(what, next)| (what, tokio::spawn(probe(options.clone(), next, stop.clone()))));
        Self { stop, running: running.into() }
    }

    async fn stop(
        self,
        beside: &str,
        plan: &Plan,
        took: Duration,
        show: &mut impl FnMut(Line),
    ) -> anyhow::Result<()> {
        self.stop.cancel();
        let what = format!("{beside}, {} jobs", plan.many);
        show(Line::figure(what, took.as_secs_f64(), "s", Budget::None));
        for (what, probe) in self.running {
            let seen = probe.await??;
            let over = f64::from(u32::try_from(seen.over.len())?);
            let line = Line::figure(
                format!("{what} during {beside}: locks over {PATIENCE}"),
                over,
                "",
                Budget::AtMost(0.0),
            );
            let longest = seen.longest.as_millis();
            let mut compared_with = format!("of {}, longest {longest} ms", seen.transactions);
            if !seen.over.is_empty() {
                write!(compared_with, ", after migrations {:?}", seen.over)?;
            }
            show(Line { compared_with, ..line });
        }
        Ok(())
    }
}

async fn probe(
    options: PgConnectOptions,
    next: fn() -> String,
    stop: CancellationToken,
) -> sqlx::Result<Seen> {
    let mut connection = PgConnection::connect_with(&options).await?;
    let mut seen = Seen::default();
    while !stop.is_cancelled() {
        let since = Instant::now();
        match connection.execute(sqlx::raw_sql(AssertSqlSafe(next()))).await {
            Ok(_) => {}
            Err(error) if db::is_lock_timeout(&error) => {
                let applied = "select coalesce(max(version), 0) from aftercall.schema_migrations";
                seen.over.push(sqlx::query_scalar(applied).fetch_one(&mut connection).await?);
            }
            Err(error) => return Err(error),
        }
        seen.transactions += 1;
        seen.longest = seen.longest.max(since.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    connection.close().await?;
    Ok(seen)
}

/// Several statements at once are one transaction.
fn write() -> String {
    let id = Uuid::now_v7();
    format!(
        "insert into aftercall.jobs (id, caller_id, external_id, request, state, version, due_at, deadline_at,
            submitted_at)
        select '{id}', id, 'probe', '{{\"contentUri\":\"https://media.example/1.wav\",\"encoding\":\"Wav\"}}',
            'submitted', 3, now() + '1h', now() + '24h', now() from aftercall.callers limit 1;
        insert into aftercall.job_events (job_id, seq, kind) values ('{id}', 1, 'queued');
        insert into aftercall.attempts (job_id, number, token_sha, outcome)
        values ('{id}', 1, sha256('{id}'), 'accepted');
        insert into aftercall.deliveries (job_id, id, attempt, via, outcome, headers, body, body_sha, body_bytes)
        values ('{id}', '{id}', 1, 'webhook', 'accepted', '{{}}', 'probe', sha256('{id}'), 5);
        update aftercall.jobs set state = 'canceled', version = 4, finished_at = now(), due_at = null
        where id = '{id}'"
    )
}

fn read() -> String {
    "select count(r.document), count(u.text), count(d.id)
    from (select id from aftercall.jobs order by id desc limit 20) j
    left join aftercall.results r on r.job_id = j.id left join aftercall.utterances u on u.job_id = j.id
    left join aftercall.deliveries d on d.job_id = j.id"
        .to_owned()
}
