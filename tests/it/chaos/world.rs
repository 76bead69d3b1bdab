//! Postgres, sandbox, replicas and callers, from start to completion.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use aftercall::embedded::{Cluster, DATABASE};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    callers::{Desk, Receipts},
    check::ledger::Ledger,
    harm::{self, Harm, Replica},
    media,
    plan::{FAULTS, Plan},
};
use crate::{
    embedded,
    process::{Home, Process, free_port},
    support::{Pace, eventually, eventually_at, scratch::Scratch},
};

/// `dispatch.unconfirmed_wait` of the replicas.
pub const UNCONFIRMED_WAIT: Duration = Duration::from_secs(5);
/// For waits whose length depends on the number of jobs.
pub const LONG_WAIT: Pace =
    Pace { look_every: Duration::from_millis(200), timeout: Duration::from_mins(10) };

/// Short retry intervals and an open gate: 2,000 jobs in a minute or two.
const HASTE: &[(&str, &str)] = &[
    ("AFTERCALL__DATABASE__MAX_CONNECTIONS", "7"),
    ("AFTERCALL__PROVIDER__TIMEOUT", "2s"),
    ("AFTERCALL__PROVIDER__GATE__LIMIT", "100000"),
    ("AFTERCALL__KEYS__RATE_LIMIT", "1000000"),
    ("AFTERCALL__PROVIDER__GATE__WINDOW", "1s"),
    ("AFTERCALL__PROVIDER__GATE__PENALTY", "1s"),
    ("AFTERCALL__PROVIDER__GATE__PROBE", "300ms"),
    ("AFTERCALL__DISPATCH__CONCURRENCY", "8"),
    ("AFTERCALL__DISPATCH__POLL_INTERVAL", "200ms"),
    ("AFTERCALL__DISPATCH__LEASE", "4s"),
    ("AFTERCALL__DISPATCH__UNCONFIRMED_WAIT", "5s"),
    ("AFTERCALL__DISPATCH__MAX_ATTEMPTS", "1000"),
    ("AFTERCALL__DISPATCH__BACKOFF", "200ms"),
    ("AFTERCALL__DISPATCH__BACKOFF_MAX", "2s"),
    ("AFTERCALL__RECONCILE__AFTER", "4s"),
    ("AFTERCALL__RECONCILE__INTERVAL", "300ms"),
];

const MISCHIEF: &[(&str, &str)] = &[
    ("AFTERCALL__SANDBOX__FAULTS", FAULTS),
    ("AFTERCALL__SANDBOX__LATENCY", "200ms"),
    // Longer than the wait before another attempt.
    ("AFTERCALL__SANDBOX__LATE_BY", "7s"),
    ("AFTERCALL__SANDBOX__SLOW_BY", "3s"),
    ("AFTERCALL__SANDBOX__RATE_LIMIT", "100000"),
    ("AFTERCALL__SANDBOX__RATE_WINDOW", "1s"),
    ("AFTERCALL__SANDBOX__RATE_PENALTY", "1s"),
    ("AFTERCALL__SANDBOX__AUTH_RATE_LIMIT", "100000"),
    ("AFTERCALL__SANDBOX__DELIVERY_BACKOFF", "200ms"),
    ("AFTERCALL__SANDBOX__DELIVERY_TIMEOUT", "3s"),
];

/// For runs without kills: no response counts as lost because the machine is busy.
const PEACE: &[(&str, &str)] =
    &[("AFTERCALL__PROVIDER__TIMEOUT", "20s"), ("AFTERCALL__DISPATCH__LEASE", "40s")];

/// In the sandbox's folder.
const LEDGER: &str = "ledger.jsonl";

pub struct World {
    cluster: Option<Cluster>,
    replicas: [Replica; 2],
    sandbox: Process,
    sandbox_home: Home,
    desk: Desk,
    options: PgConnectOptions,
    folder: Scratch,
}

impl World {
    pub async fn start(plan: &Plan) -> Self {
        let folder = Scratch::new();
        let cluster = embedded::start(folder.path()).await;
        cluster.create_database(DATABASE).await.unwrap();
        let options = options_of(&cluster);

        let sandbox_url = format!("http://127.0.0.1:{}", free_port());
        let sandbox_home = with(Home::new(), MISCHIEF)
            .set("AFTERCALL__SANDBOX__LISTEN", sandbox_url.trim_start_matches("http://"))
            .set("AFTERCALL__SANDBOX__LEDGER", LEDGER)
            .set("AFTERCALL__SANDBOX__SEED", plan.seed.to_string());
        let sandbox = sandbox_home.start(["sandbox"]);
        answering(&sandbox_url).await;

        let replica = |places: Places, webhooks_at: u16| {
            with(with(Home::new(), HASTE), if plan.crashes == 0 { PEACE } else { &[] })
                .set("DATABASE_URL", options.to_url_lossy())
                .set("AFTERCALL__SANDBOX__URL", &sandbox_url)
                .set("AFTERCALL__SANDBOX__WEBHOOK_URL", format!("http://127.0.0.1:{webhooks_at}"))
                .set("AFTERCALL__API__LISTEN", format!("127.0.0.1:{}", places.api))
                .set("AFTERCALL__WEBHOOK__LISTEN", format!("127.0.0.1:{}", places.webhook))
        };
        // Each replica's results are sent to the other one: all state must be in the database.
        let (one, other) = (Places::free(), Places::free());
        let homes = [replica(one, other.webhook), replica(other, one.webhook)];
        let api = |places: Places| format!("http://127.0.0.1:{}", places.api);
        let [first, second] = homes;
        let replicas = [Replica::start(first).await, Replica::start(second).await];
        let desk = Desk {
            replicas: [api(one), api(other)],
            key: replicas[0].home.key("chaos").await,
            media: media::serve().await,
        };
        Self { cluster: Some(cluster), replicas, sandbox, sandbox_home, desk, options, folder }
    }

    /// Callers submit their calls and all jobs end while replicas and Postgres are killed again and
    /// again.
    pub async fn suffer(&mut self, plan: &Plan) -> (Receipts, Harm) {
        let done = CancellationToken::new();
        let cluster = self.cluster.take().unwrap();
        let root = self.folder.path();
        let (desk, options, ledger) = (&self.desk, &self.options, self.ledger());
        let work = async {
            let receipts = desk.hand_over(plan.jobs).await;
            all_finished(options, &ledger).await;
            desk.ask_again().await;
            all_finished(options, &ledger).await;
            done.cancel();
            receipts
        };
        let [one, other] = &mut self.replicas;
        let (receipts, to_one, to_other, cluster) = tokio::join!(
            work,
            harm::to_replica(one, plan.seed, &done),
            harm::to_replica(other, !plan.seed, &done),
            harm::to_postgres(cluster, root, plan.crashes, plan.jobs),
        );
        self.cluster = Some(cluster);
        let to_postgres = Harm { crashes: plan.crashes, ..Harm::default() };
        (receipts, to_postgres.with(&to_one).with(&to_other))
    }

    /// Callers submit their calls and all jobs end, without kills.
    pub async fn work(&self, calls: u32) -> Receipts {
        let receipts = self.desk.hand_over(calls).await;
        all_finished(&self.options, &self.ledger()).await;
        self.desk.ask_again().await;
        all_finished(&self.options, &self.ledger()).await;
        receipts
    }

    /// Stops everything except Postgres once the sandbox has nothing left to deliver.
    pub async fn settle(&mut self) -> Ledger {
        eventually_at(LONG_WAIT, "the last delivery", async || {
            Ledger::read(&self.ledger()).is_settled().then_some(())
        })
        .await;
        for replica in &mut self.replicas {
            replica.stop().await;
        }
        self.sandbox.kill_hard();
        Ledger::read(&self.ledger())
    }

    fn ledger(&self) -> PathBuf {
        self.sandbox_home.path().join(LEDGER)
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.unwrap()
    }
}

pub fn options_of(cluster: &Cluster) -> PgConnectOptions {
    cluster.connect_options(DATABASE)
}

/// Number of final jobs; `None` while the database is unavailable.
pub async fn finished(options: &PgConnectOptions) -> Option<i64> {
    let mut db = PgConnection::connect_with(options).await.ok()?;
    let count = "select count(*) from aftercall.jobs where finished_at is not null";
    let count = sqlx::query_scalar(count).fetch_one(&mut db).await.ok()?;
    db.close().await.ok()?;
    Some(count)
}

/// Waits until no job is open. Jobs that only their deadline can end are moved to it.
async fn all_finished(options: &PgConnectOptions, ledger: &Path) {
    eventually_at(LONG_WAIT, "the end of all jobs", async || {
        let mut db = PgConnection::connect_with(options).await.ok()?;
        let open = open_jobs(&mut db).await.ok()?;
        let hopeless: Vec<Uuid> = if open.values().all(|may_be_hopeless| *may_be_hopeless) {
            let ledger = Ledger::read(ledger);
            open.keys().filter(|id| ledger.is_silent_about(**id)).copied().collect()
        } else {
            Vec::new()
        };
        sqlx::query(
            "update aftercall.jobs set deadline_at = now() - interval '1 second', due_at = now()
             where id = any($1) and state = 'submitted'",
        )
        .bind(&hopeless)
        .execute(&mut db)
        .await
        .ok()?;
        db.close().await.ok()?;
        open.is_empty().then_some(())
    })
    .await;
}

/// Open jobs, and whether their results cannot be polled.
async fn open_jobs(db: &mut PgConnection) -> sqlx::Result<BTreeMap<Uuid, bool>> {
    let open: Vec<(Uuid, bool)> = sqlx::query_as(
        "select id, state = 'submitted' and not exists (select from aftercall.attempts a
            where a.job_id = j.id and a.provider_job_id is not null
                and a.created_at >= coalesce((select max(e.created_at) from aftercall.job_events e
                    where e.job_id = j.id and e.detail->>'because' = 'retry'), a.created_at))
         from aftercall.jobs j where finished_at is null",
    )
    .fetch_all(db)
    .await?;
    Ok(open.into_iter().collect())
}

/// Ports of one replica, the same after each restart.
#[derive(Debug, Clone, Copy)]
struct Places {
    api: u16,
    webhook: u16,
}

impl Places {
    fn free() -> Self {
        Self { api: free_port(), webhook: free_port() }
    }
}

fn with(home: Home, variables: &[(&str, &str)]) -> Home {
    variables.iter().fold(home, |home, (name, value)| home.set(name, *value))
}

async fn answering(url: &str) {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
    let http = http.build().unwrap();
    let ask = async || http.get(format!("{url}/livez")).send().await.ok().map(drop);
    eventually("the sandbox", ask).await;
}
