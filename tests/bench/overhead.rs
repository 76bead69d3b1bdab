//! What metrics and traces cost: a service with both against one without, on the same database, in turns.
use std::time::Duration;

use axum::{Router, body::Bytes, extract::DefaultBodyLimit, routing::post};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    Plan,
    calls::Subject,
    load::{self, Requests},
    payload,
    report::{Budget, Line, Sample, median},
    stand::{Service, Stand},
    store::Store,
};

/// Pairs of turns per round, and what part of the other lines' turns each is: the difference is small, and many short
/// turns side by side share what else happens on the machine.
const PAIRS: u32 = 16;
const PART: u32 = 4;
const LEAST: f64 = 0.95;
const DELIVERY_CONNECTIONS: u32 = 200;
const CONNECTIONS: u32 = 16;
/// Prometheus scrapes every 15 s.
const SCRAPE_EVERY: Duration = Duration::from_secs(5);

/// The sides, and what they need.
struct Sides<'a> {
    with: Subject<'a>,
    without: Subject<'a>,
    plan: &'a Plan,
}

pub async fn overhead(
    stand: &Stand,
    plan: &Plan,
    mut found: impl FnMut(Line),
) -> anyhow::Result<()> {
    let database = &stand.database("overhead").await?;
    let store = &Store::new(database.pool.clone());
    store.seed(plan.few).await?;
    let mut helpers = JoinSet::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let collector = format!("http://{}", listener.local_addr()?);
    let router = Router::new()
        .route("/v1/traces", post(async |_: Bytes| {}))
        .layer(DefaultBodyLimit::disable());
    helpers.spawn(async move { axum::serve(listener, router).await });

    let on =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str()), ("AFTERCALL__OPS__METRICS", "true")];
    let off = [("AFTERCALL__OPS__METRICS", "false")];
    let mut pairs = [Pairs::default(), Pairs::default(), Pairs::default()];
    // Two processes of the same program differ by a few percent for as long as they run, so each round has others.
    for round in 0..plan.rounds {
        let (with, without) = if round % 2 == 0 {
            let with = Service::start_with(stand, database, &on).await?;
            (with, Service::start_with(stand, database, &off).await?)
        } else {
            let without = Service::start_with(stand, database, &off).await?;
            (Service::start_with(stand, database, &on).await?, without)
        };
        let scraping = helpers.spawn(scrape(with.ops));
        let subject = |service| Subject { stand, database, store, service };
        let sides = Sides { with: subject(&with), without: subject(&without), plan };
        let [deliveries, submissions, reads] = &mut pairs;
        sides.deliveries(deliveries).await?;
        sides.submissions(submissions).await?;
        sides.reads(reads).await?;
        scraping.abort();
    }
    for (what, pairs) in ["deliver clip", "submit", "read"].into_iter().zip(&pairs) {
        found(pairs.line(&format!("{what}, observed")));
    }
    Ok(())
}

async fn scrape(ops: std::net::SocketAddr) -> std::io::Result<()> {
    let head = "GET /metrics HTTP/1.1\r\nhost: bench\r\n\r\n".to_owned();
    let (heads, body) = (vec![head].into(), Vec::new().into());
    let requests = Requests { address: ops, heads, body, status: 200 };
    loop {
        load::closed(&requests, 1, 1).await.map_err(std::io::Error::other)?;
        tokio::time::sleep(SCRAPE_EVERY).await;
    }
}

impl Sides<'_> {
    async fn deliveries(&self, pairs: &mut Pairs) -> anyhow::Result<()> {
        let (clip, count) = (payload::clip(), self.plan.clips / PART);
        let turn = async |side: &Subject<'_>| {
            let requests = side.deliveries(&clip, side.store.submitted(count).await?)?;
            side.load(&requests, count, DELIVERY_CONNECTIONS).await
        };
        self.run(pairs, turn).await
    }

    async fn submissions(&self, pairs: &mut Pairs) -> anyhow::Result<()> {
        let turn = async |side: &Subject<'_>| {
            side.load(&side.submissions(), self.plan.submissions / PART, CONNECTIONS).await
        };
        self.run(pairs, turn).await
    }

    async fn reads(&self, pairs: &mut Pairs) -> anyhow::Result<()> {
        let jobs = self.with.store.completed(self.plan.few.min(1_000)).await?;
        let turn = async |side: &Subject<'_>| {
            side.load(&side.reads(jobs.iter().copied()), self.plan.reads / PART, CONNECTIONS).await
        };
        self.run(pairs, turn).await
    }

    /// Turns of both sides, in changing order so that neither profits from what the other left.
    async fn run(
        &self,
        pairs: &mut Pairs,
        turn: impl AsyncFn(&Subject<'_>) -> anyhow::Result<Sample>,
    ) -> anyhow::Result<()> {
        for side in [&self.with, &self.without] {
            turn(side).await?; // warms up
        }
        for pair in 0..PAIRS {
            let (on, off) = if pair % 2 == 0 {
                let on = turn(&self.with).await?;
                (on, turn(&self.without).await?)
            } else {
                let off = turn(&self.without).await?;
                (turn(&self.with).await?, off)
            };
            pairs.ratios.push(on.per_second / off.per_second);
            pairs.with.push(on);
            pairs.without.push(off);
        }
        Ok(())
    }
}

/// What both sides did.
#[derive(Default)]
struct Pairs {
    with: Vec<Sample>,
    without: Vec<Sample>,
    ratios: Vec<f64>,
}

impl Pairs {
    fn line(&self, what: &str) -> Line {
        let (on, off) = (Sample::median(&self.with), Sample::median(&self.without));
        let least = self.ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.ratios.iter().copied().fold(0.0, f64::max);
        let compared = format!("neither, {:.0} us, {least:.2}..{most:.2}", off.service_us);
        let line = Line::ratio(what, &on, compared, off.per_second, Budget::None);
        let judged = Line::figure(what, median(self.ratios.clone()), "/s", Budget::AtLeast(LEAST));
        Line { value: judged.value, budget: judged.budget, met: judged.met, ..line }
    }
}
