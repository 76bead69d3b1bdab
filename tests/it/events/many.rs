//! Two thousand long polls and as many streams on one process, with two database connections.
use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use aftercall::{
    db::{self, PoolOptions},
    http::{Terms, serve},
    jobs::{self, Channel, Completion, JobId},
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{app::TestApp, eventually, soon};

/// Clients of each kind.
const CLIENTS: usize = 2000;
/// Jobs that end in one transaction, and whose clients connect at the same time.
const TOGETHER: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_wait_on_two_connections_and_each_is_told() {
    // Both ends of each connection are in this process.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let app = TestApp::with(|settings| {
        // All clients belong to one caller.
        settings.api.max_waits_per_caller = CLIENTS;
        settings.api.max_streams_per_caller = CLIENTS;
    });
    let app = app.await;
    app.feed_events();
    let options = app.db.connect_options().application_name("one process");
    let timeout = Duration::from_mins(1);
    let one = PoolOptions { max_connections: 1, acquire_timeout: timeout };
    let (api, feed) = app
        .another_process(&db::Primary::later(db::Servers::one(options), one).pool().clone())
        .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, api, Terms::default(), app.stop.clone()));

    let ids = jobs(&app).await;
    let before = resident_kib();
    let mut clients = JoinSet::new();
    for (n, ids) in (1..).zip(ids.chunks(TOGETHER)) {
        for id in ids.iter().copied() {
            let poll = format!("/v1/jobs/{id}?wait=60");
            clients.spawn(told(address, request(&app, &poll), id, "\"state\":\"completed\""));
            let stream = format!("/v1/events?jobId={id}");
            clients.spawn(told(address, request(&app, &stream), id, "event: completed"));
        }
        let count = 2 * TOGETHER * n;
        eventually("all clients", async || (feed.waiting() == count).then_some(())).await;
    }
    let waiting = resident_kib();
    assert!(connections(&app).await <= 2);

    let committed = complete(&app, &ids).await;
    let mut delays: Vec<Duration> = Vec::new();
    while let Some(told) = soon("what happened", clients.join_next()).await {
        let (id, at) = told.unwrap();
        delays.push(at.saturating_duration_since(committed[&id]));
    }
    assert_eq!(delays.len(), 2 * CLIENTS);
    assert!(connections(&app).await <= 2);
    delays.sort();
    let at = |permille: usize| delays[(delays.len() - 1) * permille / 1000];
    eprintln!(
        "from commit to client: p50 {:?}, p99 {:?}, max {:?}; {} KiB for each who waits, both ends; \
         resident: {before} KiB before, {waiting} KiB waiting, {} KiB after",
        at(500),
        at(990),
        at(1000),
        (waiting - before) / (2 * CLIENTS),
        resident_kib(),
    );
}

async fn jobs(app: &TestApp) -> Vec<JobId> {
    let ids: Vec<JobId> = (0..CLIENTS).map(|_| JobId::generate()).collect();
    let insert = "insert into aftercall.jobs (id, caller_id, request, due_at, deadline_at)
        select id, (select id from aftercall.callers), '{}', now(), now() + interval '1 day'
        from unnest($1::uuid[]) id";
    sqlx::query(insert).bind(&ids).execute(&app.db.pool).await.unwrap();
    ids
}

/// When each job was committed.
async fn complete(app: &TestApp, ids: &[JobId]) -> HashMap<JobId, Instant> {
    let mut committed = HashMap::new();
    for ids in ids.chunks(TOGETHER) {
        let done = ids.iter().map(|id| Completion {
            job_id: *id,
            attempt: 1,
            via: Channel::Webhook,
            received_at: None,
        });
        let mut tx = app.announcer.begin(&app.db.pool).await.unwrap();
        jobs::complete(&mut tx, &done.collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
        let at = Instant::now();
        committed.extend(ids.iter().map(|id| (*id, at)));
    }
    committed
}

fn request(app: &TestApp, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: aftercall\r\nauthorization: Bearer {}\r\n\r\n", app.key)
}

/// Sends the request, again after each expired wait, and returns once the response contains `wanted`.
async fn told(
    address: SocketAddr,
    request: String,
    id: JobId,
    wanted: &'static str,
) -> (JobId, Instant) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let count = connection.read_buf(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(count > 0 && text.starts_with("HTTP/1.1 200"), "{text}");
        if text.contains(wanted) {
            return (id, Instant::now());
        }
        if text.contains("\"state\":\"queued\"") {
            answer.clear();
            connection.write_all(request.as_bytes()).await.unwrap();
        }
    }
}

async fn connections(app: &TestApp) -> i64 {
    app.count("select count(*) from pg_stat_activity where application_name = 'one process'").await
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
