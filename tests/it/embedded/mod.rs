//! The managed Postgres, on its own and with everything that can go wrong around it.
mod environment;
mod faults;
mod processes;

use std::{
    fs,
    path::{Path, PathBuf},
};

use aftercall::{
    config::EmbeddedEnvironment,
    embedded::{Cluster, DATABASE, Options},
};
use sqlx::{Connection as _, PgConnection};

use crate::support::scratch::Scratch;

/// A durable cluster in `root`, run by the binary under test.
fn options(root: &Path) -> Options {
    Options {
        root: root.into(),
        ephemeral: false,
        exe: env!("CARGO_BIN_EXE_aftercall").into(),
        // Two replicas hold up to ten each, and those of a killed one stay until the server notices.
        max_connections: 60,
        environment: EmbeddedEnvironment::read(),
    }
}

pub async fn start(root: &Path) -> Cluster {
    Cluster::start(options(root)).await.unwrap()
}

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect_with(&cluster.connect_options("postgres")).await.unwrap()
}

/// The data folder: the only one in `root` that contains a version file.
pub fn data(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        path.join("PG_VERSION").exists() && !name.contains(".init.")
    })
}

/// The process id of the server in `root`.
pub fn server_pid(root: &Path) -> Option<i32> {
    let content = fs::read_to_string(data(root)?.join("postmaster.pid")).ok()?;
    content.lines().next()?.parse().ok()
}

/// A zombie, which may have no parent to wait for it, does not count as running.
pub fn is_running(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

#[tokio::test]
async fn a_cluster_keeps_its_data_from_start_to_start() {
    let scratch = Scratch::new();
    let root = scratch.path().join("new/and/deep");
    let cluster = start(&root).await;
    assert!(!cluster.is_guest());
    let pid = server_pid(&root).unwrap();
    cluster.create_database(DATABASE).await.unwrap();
    cluster.create_database(DATABASE).await.unwrap();
    let mut db = PgConnection::connect_with(&cluster.connect_options(DATABASE)).await.unwrap();
    sqlx::raw_sql("create table kept as select 42 as answer").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    cluster.stop().await;
    assert!(!is_running(pid));

    let cluster = start(&root).await;
    let mut db = PgConnection::connect_with(&cluster.connect_options(DATABASE)).await.unwrap();
    let kept: i32 = sqlx::query_scalar("select answer from kept").fetch_one(&mut db).await.unwrap();
    assert_eq!(kept, 42);
}

#[tokio::test]
async fn a_dropped_cluster_stops_even_with_sessions_open() {
    let scratch = Scratch::new();
    let cluster = start(scratch.path()).await;
    let mut session = connect(&cluster).await;
    let pid = server_pid(scratch.path()).unwrap();
    drop(cluster);
    assert!(!is_running(pid));
    assert!(session.ping().await.is_err());
}

#[tokio::test]
async fn an_ephemeral_cluster_starts_empty_and_leaves_no_data() {
    let scratch = Scratch::new();
    let cluster = start(scratch.path()).await;
    let durable = data(scratch.path()).unwrap();
    cluster.stop().await;

    let ephemeral = Options { ephemeral: true, ..options(scratch.path()) };
    let cluster = Cluster::start(ephemeral.clone()).await.unwrap();
    cluster.create_database(DATABASE).await.unwrap();
    cluster.stop().await;
    assert_eq!(data(scratch.path()), Some(durable), "only the durable data is left");

    let cluster = Cluster::start(ephemeral).await.unwrap();
    let databases: i64 = sqlx::query_scalar("select count(*) from pg_database where datname = $1")
        .bind(DATABASE)
        .fetch_one(&mut connect(&cluster).await)
        .await
        .unwrap();
    assert_eq!(databases, 0);
}

#[tokio::test]
async fn a_second_instance_is_the_guest_of_the_first() {
    let scratch = Scratch::new();
    let (one, other) = tokio::join!(start(scratch.path()), start(scratch.path()));
    let (owner, guest) = if one.is_guest() { (other, one) } else { (one, other) };
    assert!(guest.is_guest() && !owner.is_guest());
    connect(&guest).await.ping().await.unwrap();
    guest.stop().await;
    connect(&owner).await.ping().await.unwrap();
    owner.stop().await;
    assert!(!start(scratch.path()).await.is_guest());
}
