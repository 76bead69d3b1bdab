//! The load generator: keep-alive HTTP/1.1 connections on one thread, with requests prepared
//! beforehand.
//!
//! The closed loop finds the maximum; the open loop sends at a fixed rate and measures from the
//! time a request was due, so that a stalling server cannot hide it.
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// Longest wait for one response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Requests to one address. Each is its own head followed by a shared body.
#[derive(Debug, Clone)]
pub struct Requests {
    pub address: SocketAddr,
    /// Request lines and headers including the empty line, used in turn and repeated from the
    /// start.
    pub heads: Arc<Vec<String>>,
    pub body: Arc<Vec<u8>>,
    /// The only status that is not an error.
    pub status: u16,
}

/// The result of one run.
#[derive(Debug, Clone)]
pub struct Run {
    pub per_second: f64,
    /// Latency of every request in milliseconds, ascending.
    latencies_ms: Vec<f64>,
}

impl Run {
    fn new(elapsed: Duration, latencies: Vec<Duration>) -> Self {
        let count = u32::try_from(latencies.len()).unwrap_or(u32::MAX);
        Self::of(f64::from(count) / elapsed.as_secs_f64(), latencies)
    }

    /// For measurements made elsewhere.
    pub fn of(per_second: f64, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self {
            per_second,
            latencies_ms: latencies.iter().map(|latency| latency.as_secs_f64() * 1e3).collect(),
        }
    }

    /// Milliseconds within which `percent` of the requests were completed.
    pub fn percentile(&self, percent: usize) -> f64 {
        let last = self.latencies_ms.len().saturating_sub(1);
        self.latencies_ms.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// Sends `count` requests; each connection sends its next one as soon as it has a response.
pub async fn closed(requests: &Requests, count: u32, connections: u32) -> anyhow::Result<Run> {
    run(requests, count, connections, None).await
}

/// Sends `count` requests at `rate` per second.
pub async fn open(
    requests: &Requests,
    count: u32,
    connections: u32,
    rate: f64,
) -> anyhow::Result<Run> {
    run(requests, count, connections, Some(rate)).await
}

async fn run(
    requests: &Requests,
    count: u32,
    connections: u32,
    rate: Option<f64>,
) -> anyhow::Result<Run> {
    let requests = requests.clone();
    let on_its_thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(all(&requests, count, connections, rate))
    };
    tokio::task::spawn_blocking(on_its_thread).await?
}

async fn all(
    requests: &Requests,
    count: u32,
    connections: u32,
    rate: Option<f64>,
) -> anyhow::Result<Run> {
    let mut open = Vec::new();
    for _ in 0..connections.min(count) {
        open.push(Connection::open(requests.address).await?);
    }
    let next = Arc::new(AtomicU32::new(0));
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for connection in open {
        senders.spawn(send(connection, requests.clone(), next.clone(), count, started, rate));
    }
    let mut latencies = Vec::new();
    while let Some(done) = senders.join_next().await {
        latencies.extend(done??);
    }
    Ok(Run::new(started.elapsed(), latencies))
}

async fn send(
    mut connection: Connection,
    requests: Requests,
    next: Arc<AtomicU32>,
    count: u32,
    started: Instant,
    rate: Option<f64>,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= count {
            return Ok(latencies);
        }
        let mut due = Instant::now();
        if let Some(rate) = rate {
            due = started + Duration::from_secs_f64(f64::from(n) / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let head = &requests.heads[usize::try_from(n)? % requests.heads.len()];
        let answered = connection.call(head.as_bytes(), &requests.body);
        let status = tokio::time::timeout(TIMEOUT, answered).await.context("no answer")??;
        anyhow::ensure!(status == requests.status, "a request was answered {status}");
        latencies.push(due.elapsed());
    }
}

struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::new(), buffer: vec![0; 64 * 1024] })
    }

    /// Returns the status of the response; its body is read and discarded.
    async fn call(&mut self, head: &[u8], body: &[u8]) -> anyhow::Result<u16> {
        self.out.clear();
        self.out.extend_from_slice(head);
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        let mut have = 0;
        let (status, mut missing) = loop {
            let read = self.stream.read(&mut self.buffer[have..]).await?;
            anyhow::ensure!(read > 0, "the connection was closed");
            have += read;
            if let Some((status, whole)) = head_of(&self.buffer[..have])? {
                break (status, whole.saturating_sub(have));
            }
        };
        while missing > 0 {
            let read = self.stream.read(&mut self.buffer).await?;
            anyhow::ensure!(read > 0, "the connection was closed");
            missing = missing.saturating_sub(read);
        }
        Ok(status)
    }
}

/// Status and total length of the response, once its head is complete.
fn head_of(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.get(9..12).context("no status line")?.parse()?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
    Ok(Some((status, end + 4 + length)))
}
