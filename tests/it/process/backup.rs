//! Backup and restore as documented: a dump under load, restored into another cluster after the first one and everything
//! that happened since are lost. Jobs go on, and the sandbox's ledger proves that no submission of which the dump knew
//! was repeated.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use aftercall::{
    embedded::{Cluster, DATABASE},
    jobs::Token,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use uuid::Uuid;

use super::{Home, Process, Service, free_port};
use crate::{embedded, support::eventually};

/// Jobs before, during and after the dump.
const BEFORE: usize = 12;
const AFTER: usize = 8;

/// A program of the newest Postgres that is installed.
pub fn postgres(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin/{program}")));
    newest.filter(|path| path.exists()).unwrap_or_else(|| program.into())
}

/// `pg_dump` or `pg_restore` on this cluster.
fn on(cluster: &Cluster, program: &str, arguments: &[&str]) -> Command {
    let options = cluster.connect_options(DATABASE);
    let mut command = Command::new(postgres(program));
    command.arg("-h").arg(cluster.sockets()).args(["-U", options.get_username()]);
    command.args(arguments);
    command
}

async fn run(mut command: Command) {
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// For each job, how many submissions the sandbox accepted.
fn submissions(home: &Home) -> BTreeMap<Uuid, usize> {
    let ledger = fs::read_to_string(home.path().join("ledger")).unwrap();
    let entries = ledger.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let jobs = entries.filter_map(|entry| {
        let token = Token::parse(entry["webhook"].as_str()?.rsplit_once('/')?.1)?;
        Some(token.job_id.uuid())
    });
    let mut counts = BTreeMap::new();
    jobs.for_each(|job| *counts.entry(job).or_default() += 1);
    counts
}

/// What the restored database knows: jobs, and those of them whose submission it knows to be accepted.
async fn known(cluster: &Cluster) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    let options = cluster.connect_options(DATABASE);
    let mut db = PgConnection::connect_with(&options).await.unwrap();
    let jobs: Vec<(Uuid, bool)> = sqlx::query_as(
        "select id, exists (
            select from aftercall.attempts a where a.job_id = j.id and a.outcome = 'accepted')
        from aftercall.jobs j",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
    let accepted = jobs.iter().filter(|(_, is_accepted)| *is_accepted).map(|(id, _)| *id);
    (jobs.iter().map(|(id, _)| *id).collect(), accepted.collect())
}

/// A service that uses the sandbox of another process, whose ledger is the file `ledger`.
fn with_sandbox() -> Home {
    let ports = [free_port(), free_port()];
    Home::new()
        .set("AFTERCALL__SANDBOX__LISTEN", format!("127.0.0.1:{}", ports[0]))
        .set("AFTERCALL__SANDBOX__URL", format!("http://127.0.0.1:{}", ports[0]))
        .set("AFTERCALL__SANDBOX__LATENCY", "700ms")
        .set("AFTERCALL__WEBHOOK__LISTEN", format!("127.0.0.1:{}", ports[1]))
        .set("AFTERCALL__RECONCILE__AFTER", "1s")
        .set("AFTERCALL__RECONCILE__INTERVAL", "200ms")
        .set("AFTERCALL__PROVIDER__TIMEOUT", "5s")
        .set("AFTERCALL__DISPATCH__LEASE", "10s")
        .set("AFTERCALL__DISPATCH__UNCONFIRMED_WAIT", "2s")
}

async fn sandbox(home: &Home) -> Process {
    let mut sandbox = home.command(["sandbox"]);
    sandbox.env("AFTERCALL__SANDBOX__LEDGER", home.path().join("ledger"));
    let sandbox = home.spawn(sandbox);
    eventually("the sandbox", async || sandbox.out().contains("recording:").then_some(())).await;
    sandbox
}

/// Dumps while jobs are submitted, accepted and completed, and goes on with more; returns all jobs.
async fn dump_under_load(service: &Service, cluster: &Cluster, dump: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..BEFORE {
        ids.push(service.submit(json!({})).await);
    }
    service.finished(&ids[0]).await;
    let dumping = run(on(cluster, "pg_dump", &["-Fc", "-f", dump, DATABASE]));
    let mut dumping = std::pin::pin!(dumping);
    loop {
        tokio::select! {
            () = &mut dumping => break,
            id = service.submit(json!({})) => ids.push(id),
        }
    }
    for _ in 0..AFTER {
        ids.push(service.submit(json!({})).await);
    }
    let last = ids.last().unwrap();
    service.job_when(last, |job| job["state"] != "queued" && job["state"] != "submitting").await;
    ids
}

async fn restore(cluster: &Cluster, dump: &str) {
    cluster.create_database(DATABASE).await.unwrap();
    // The roles that the dump names belong to the cluster and are not part of it.
    if let Some(roles) = roles() {
        let roles = roles.to_str().unwrap();
        run(on(cluster, "psql", &["-q", "-d", DATABASE, "-v", "ON_ERROR_STOP=1", "-f", roles]))
            .await;
    }
    run(on(cluster, "pg_restore", &["-d", DATABASE, "--exit-on-error", dump])).await;
}

fn roles() -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/postgres/roles.sql");
    file.exists().then_some(file)
}

/// Starts the service on the restored database, with the rights that it has in production.
async fn start_again(home: Home, cluster: &Cluster, key: String) -> (Home, Service) {
    let owner = cluster.connect_options(DATABASE);
    let home = home.set("DATABASE_URL", owner.to_url_lossy());
    home.run(&["migrate"]).await.success();
    let user = roles().map_or(owner.get_username(), |_| "aftercall_runtime").to_owned();
    let home = home
        .set("DATABASE_URL", owner.username(&user).to_url_lossy())
        .set("AFTERCALL__DATABASE__MIGRATE", "off");
    let mut service = Service::without_key(&home).await;
    service.key = key;
    (home, service)
}

#[tokio::test]
async fn a_dump_under_load_restores_and_nothing_it_knew_is_submitted_twice() {
    let home = with_sandbox();
    let sandbox = sandbox(&home).await;
    let first = embedded::start(&home.path().join("first")).await;
    first.create_database(DATABASE).await.unwrap();
    let home = home.set("DATABASE_URL", first.connect_options(DATABASE).to_url_lossy());
    let mut service = Service::start(&home).await;
    let dump = home.path().join("aftercall.dump").display().to_string();
    let ids = dump_under_load(&service, &first, &dump).await;
    service.process.kill_hard();
    first.stop().await;

    let second = embedded::start(&home.path().join("second")).await;
    restore(&second, &dump).await;
    let (jobs, accepted) = known(&second).await;
    assert!(accepted.len() >= 2 && jobs.len() >= BEFORE, "{} of {}", accepted.len(), jobs.len());
    assert!(jobs.len() < ids.len(), "the last jobs are later than the dump");
    let before = submissions(&home);
    let (home, again) = start_again(home, &second, service.key.clone()).await;
    for id in &jobs {
        assert_eq!(again.finished(&id.to_string()).await["state"], "completed");
    }
    let after = submissions(&home);
    for id in &accepted {
        assert_eq!((before[id], after[id]), (1, 1), "{id} was submitted again");
    }
    let mut db = PgConnection::connect_with(&second.connect_options(DATABASE)).await.unwrap();
    let results = sqlx::query_scalar("select count(*) from aftercall.results");
    let results: i64 = results.fetch_one(&mut db).await.unwrap();
    assert_eq!(usize::try_from(results).unwrap(), jobs.len(), "one result each");
    db.close().await.unwrap();

    // New work is taken, and its events reach those who wait.
    let id = again.submit(json!({})).await;
    let waited = again.get(&format!("/v1/jobs/{id}?wait=20")).await;
    assert_eq!(waited["state"], "completed");
    again.stop().await.success();
    sandbox.signal(Signal::SIGTERM);
    sandbox.ended().await.success();
    second.stop().await;
}
