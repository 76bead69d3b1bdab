//! Notifications against bare loops of POSTs to the same receivers, with a twentieth of the endpoints dead; and the
//! latency from commit to arrival.
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aftercall::{
    egress::{Secret, signatures},
    seal::{Keys, Place, Seal},
};
use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use uuid::Uuid;

use super::{
    Plan,
    report::{Budget, Line, median},
    stand::{Database, Service, Stand},
};

const ENDPOINTS: u32 = 100;
/// One in so many is dead: it accepts requests and never responds.
const DEAD_EVERY: u32 = 20;
/// Concurrent requests of the service, and of the loops together.
const CONCURRENCY: u32 = 256;
const KEY: &str = "bench:YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU=";
/// Events of the latency run, and the pause between two.
const EVENTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_mins(15);
const DEAD: &str = "/dead";

/// When each message first arrived at each endpoint, and how many requests there were.
#[derive(Default)]
struct Arrivals {
    first: HashMap<(String, String), Instant>,
    requests: u64,
}

type Shared = Arc<Mutex<Arrivals>>;

pub async fn notifications(
    stand: &Stand,
    plan: &Plan,
    mut add: impl FnMut(Line),
) -> anyhow::Result<()> {
    let shared = Shared::default();
    let address = receivers(shared.clone()).await?;
    let database = stand.database("notify").await?;
    let outbox = Outbox::new(&database, address).await?;
    let jobs = plan.notifications / ENDPOINTS;
    let healthy = u64::from(ENDPOINTS - ENDPOINTS / DEAD_EVERY);
    let expected = u64::from(jobs) * healthy;
    let (mut sent, mut one_by_one, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        one_by_one.push(posts(address, expected / 4, 1).await?);
        together.push(posts(address, expected, CONCURRENCY).await?);
        outbox.clear().await?;
        outbox.happen(jobs).await?;
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = Arrivals::default();
        let since = Instant::now();
        let service = start(stand, &database).await?;
        while distinct(&shared) < expected {
            anyhow::ensure!(since.elapsed() < LONGEST, "only {} arrived", distinct(&shared));
            sleep(Duration::from_millis(5)).await;
        }
        sent.push(rate(expected, since.elapsed()));
        drop(service);
        let repeated = requests(&shared) - expected;
        add(Line::figure(
            "notifications that arrived twice",
            as_float(repeated),
            "",
            Budget::AtMost(0.0),
        ));
    }
    let (sent, one_by_one, together) = (median(sent), median(one_by_one), median(together));
    let what = format!("notify {ENDPOINTS} endpoints, {} dead", ENDPOINTS / DEAD_EVERY);
    let mut compare = |with: String, bare: f64, budget| {
        add(Line {
            measured: sent,
            compared_with: with,
            compared: Some(bare),
            ..Line::figure(what.clone(), sent / bare, "/s", budget)
        });
    };
    compare("bare loop of POSTs".to_owned(), one_by_one, Budget::AtLeast(0.5));
    // What the receivers and the network take, with nothing stored.
    compare(format!("{CONCURRENCY} such loops"), together, Budget::None);
    outbox.clear().await?;
    let service = start(stand, &database).await?;
    let times = latencies(&outbox, &shared, healthy).await?;
    drop(service);
    add(Line {
        p50_ms: Some(percentile(&times, 50)),
        p99_ms: Some(percentile(&times, 99)),
        ..Line::figure(
            "commit to arrival: p99",
            percentile(&times, 99),
            "ms",
            Budget::AtMost(250.0),
        )
    });
    Ok(())
}

async fn start(stand: &Stand, database: &Database) -> anyhow::Result<Service> {
    let concurrency = CONCURRENCY.to_string();
    let variables = [
        ("AFTERCALL__ROLES", "worker"),
        ("AFTERCALL__SEAL__KEY", KEY),
        ("AFTERCALL__NOTIFY__ALLOW", "127.0.0.1"),
        ("AFTERCALL__NOTIFY__CONCURRENCY", concurrency.as_str()),
    ];
    Service::start_with(stand, database, &variables).await
}

/// The receivers of all endpoints, one path each.
async fn receivers(shared: Shared) -> anyhow::Result<SocketAddr> {
    async fn receive(
        State(shared): State<Shared>,
        uri: Uri,
        headers: HeaderMap,
        _body: Bytes,
    ) -> StatusCode {
        if uri.path() == DEAD {
            std::future::pending::<()>().await;
        }
        if let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) {
            let mut arrivals = shared.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.requests += 1;
            let key = (uri.path().to_owned(), id.to_owned());
            arrivals.first.entry(key).or_insert_with(Instant::now);
        }
        StatusCode::OK
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(receive).with_state(shared);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn distinct(shared: &Shared) -> u64 {
    shared.lock().unwrap_or_else(PoisonError::into_inner).first.len() as u64
}

fn requests(shared: &Shared) -> u64 {
    shared.lock().unwrap_or_else(PoisonError::into_inner).requests
}

/// What the service does without a database: signed POSTs, so many at a time.
async fn posts(address: SocketAddr, count: u64, concurrency: u32) -> anyhow::Result<f64> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (secret, body) = (Secret::generate(), Bytes::from(vec![b'x'; 700]));
    let since = Instant::now();
    let mut senders = JoinSet::new();
    for n in 0..u64::from(concurrency) {
        let (client, secret, body) = (client.clone(), [secret.clone()], body.clone());
        senders.spawn(async move {
            for i in (n..count).step_by(concurrency as usize) {
                let url = format!("http://{address}/e{}", i % u64::from(ENDPOINTS));
                let signature = signatures(&secret, "msg_x", 1_700_000_000, &body);
                let request = client.post(url).header("webhook-signature", signature);
                request.body(body.clone()).send().await?.error_for_status()?;
            }
            reqwest::Result::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(rate(count, since.elapsed()))
}

/// The endpoints of one caller, and events of its jobs.
struct Outbox {
    pool: PgPool,
    caller: Uuid,
}

impl Outbox {
    async fn new(database: &Database, address: SocketAddr) -> anyhow::Result<Self> {
        let pool = database.pool.clone();
        let caller =
            sqlx::query_scalar("select id from aftercall.callers").fetch_one(&pool).await?;
        let keys = Keys::parse(KEY).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let seal = Seal::new(keys);
        for n in 0..ENDPOINTS {
            let id = Uuid::now_v7();
            let place = Place { table: "endpoints", row: id };
            let path = if n % DEAD_EVERY == 0 { DEAD.to_owned() } else { format!("/e{n}") };
            sqlx::query(
                "insert into aftercall.endpoints (id, caller_id, url_sealed, url_shown, secret, events)
                values ($1, $2, $3, '', $4, '{job.submitted}')",
            )
            .bind(id)
            .bind(caller)
            .bind(seal.seal(place, format!("http://{address}{path}").as_bytes()))
            .bind(seal.seal(place, Secret::generate().bytes()))
            .execute(&pool)
            .await?;
        }
        Ok(Self { pool, caller })
    }

    async fn clear(&self) -> anyhow::Result<()> {
        // One at a time: several in one text would be a transaction, in which there is no VACUUM.
        for statement in [
            "truncate aftercall.notifications cascade",
            "update aftercall.endpoints set failures = 0, failing_since = null, slow_until = null",
            "vacuum analyze aftercall.notifications",
        ] {
            sqlx::query(statement).execute(&self.pool).await.context("cannot clear the outbox")?;
        }
        Ok(())
    }

    /// So many jobs are submitted at once; returns their ids.
    async fn happen(&self, jobs: u32) -> anyhow::Result<Vec<Uuid>> {
        let ids: Vec<Uuid> = (0..jobs).map(|_| Uuid::now_v7()).collect();
        sqlx::query(
            "with job as (
                insert into aftercall.jobs (id, caller_id, request, due_at, deadline_at, version)
                select id, $2, '{}', now() + interval '1 day', now() + interval '2 days', 2
                from unnest($1::uuid[]) as id returning id, version
            )
            insert into aftercall.job_events (job_id, seq, kind) select id, version, 'submitted' from job",
        )
        .bind(&ids)
        .bind(self.caller)
        .execute(&self.pool)
        .await?;
        Ok(ids)
    }
}

/// Milliseconds from each commit to each arrival at a healthy endpoint, sorted.
async fn latencies(outbox: &Outbox, shared: &Shared, healthy: u64) -> anyhow::Result<Vec<f64>> {
    let mut committed = HashMap::new();
    for _ in 0..EVENTS {
        let [id] = outbox.happen(1).await?[..] else { anyhow::bail!("one job") };
        committed.insert(format!("msg_{}_2", id.simple()), Instant::now());
        // Nothing announces what a benchmark writes, as the service does after each commit.
        sqlx::query("select pg_notify('aftercall_events', '')").execute(&outbox.pool).await?;
        sleep(PAUSE).await;
    }
    let since = Instant::now();
    let expected = u64::from(EVENTS) * healthy;
    loop {
        let times = times_of(shared, &committed);
        if times.len() as u64 >= expected {
            let paths: HashSet<_> = times.iter().map(|((path, _), _)| path).collect();
            anyhow::ensure!(paths.len() as u64 == healthy, "{} endpoints", paths.len());
            let mut times: Vec<f64> =
                times.iter().map(|(_, time)| time.as_secs_f64() * 1e3).collect();
            times.sort_by(f64::total_cmp);
            return Ok(times);
        }
        anyhow::ensure!(since.elapsed() < LONGEST, "only {} arrived", times.len());
        sleep(Duration::from_millis(50)).await;
    }
}

/// The times of the messages in `committed`, with their paths and ids.
fn times_of(
    shared: &Shared,
    committed: &HashMap<String, Instant>,
) -> Vec<((String, String), Duration)> {
    let arrivals = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let of_run = arrivals
        .first
        .iter()
        .filter_map(|(key, at)| Some((key.clone(), at.duration_since(*committed.get(&key.1)?))));
    of_run.collect()
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn rate(count: u64, took: Duration) -> f64 {
    as_float(count) / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn as_float(count: u64) -> f64 {
    count as f64
}
