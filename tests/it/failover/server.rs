//! Postgres servers on TCP, which replicate from one another.
use std::{
    fs::{self, DirBuilder, File},
    os::unix::{
        fs::{DirBuilderExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{
    process::{free_port, postgres},
    support::{eventually, ward::Ward},
};

/// As small and quick as a server can be that still replicates.
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "shared_buffers=32MB",
    "jit=off",
];

/// Killed at the end of the test; its sessions end when they notice.
pub struct Server {
    data: PathBuf,
    pub port: u16,
    process: Ward,
}

/// As a user that Postgres accepts: it refuses to run as root.
fn command(program: &str) -> Command {
    let mut command = Command::new(postgres(program));
    command.stdin(Stdio::null()).current_dir("/");
    if let Some(user) = unprivileged() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn unprivileged() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    User::from_name("postgres").unwrap()
}

/// An empty folder for the data of a server.
fn folder(root: &Path, name: &str) -> PathBuf {
    let data = root.join(name);
    DirBuilder::new().mode(0o700).create(&data).unwrap();
    if let Some(user) = unprivileged() {
        chown(&data, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    data
}

async fn run(mut command: Command) {
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

impl Server {
    /// A primary with an empty database `aftercall`.
    pub async fn primary(root: &Path) -> Self {
        let data = folder(root, "primary");
        let mut initdb = command("initdb");
        initdb.args(["-A", "trust", "-U", "aftercall", "-N", "-D"]).arg(&data);
        run(initdb).await;
        let server = Self::start(data).await;
        server.tell("postgres", "create database aftercall").await;
        server
    }

    /// Replicates from this server, which from now on confirms nothing that only it has.
    pub async fn standby(&self, root: &Path) -> Self {
        let data = folder(root, "standby");
        let mut backup = command("pg_basebackup");
        backup.args(["-h", "127.0.0.1", "-U", "aftercall", "-c", "fast", "-R"]);
        backup.args(["-p", &self.port.to_string(), "-D"]).arg(&data);
        run(backup).await;
        let standby = Self::start(data).await;
        self.tell("postgres", "alter system set synchronous_standby_names = '*'").await;
        self.tell("postgres", "select pg_reload_conf()").await;
        eventually("a synchronous standby", async || {
            let states =
                "select exists (select from pg_stat_replication where sync_state = 'sync')";
            self.ask::<bool>(states).await.then_some(())
        })
        .await;
        standby
    }

    async fn start(data: PathBuf) -> Self {
        let port = free_port();
        let mut postgres = command("postgres");
        let log = data.with_extension("log");
        postgres.stdout(File::create(&log).unwrap()).stderr(File::create(&log).unwrap());
        postgres.args(["-p", &port.to_string(), "-D"]).arg(&data);
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        let mut server = Self { data, port, process: Ward::spawn(&mut postgres) };
        let options = server.options("postgres");
        eventually("a server that accepts connections", async || {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap());
            PgConnection::connect_with(&options).await.ok()
        })
        .await;
        server
    }

    pub fn options(&self, database: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.port);
        options.username("aftercall").password("").database(database)
    }

    async fn tell(&self, database: &str, statement: &str) {
        let mut db = PgConnection::connect_with(&self.options(database)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    }

    pub async fn ask<T>(&self, question: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let mut db = PgConnection::connect_with(&self.options("aftercall")).await.unwrap();
        let answer = sqlx::query_scalar(question).fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        answer
    }

    /// From now on it accepts only reads, and keeps its connections.
    pub async fn make_read_only(&self) {
        self.tell("postgres", "alter system set default_transaction_read_only = on").await;
        self.tell("postgres", "select pg_reload_conf()").await;
    }

    pub async fn promote(&self) {
        let mut promote = command("pg_ctl");
        promote.args(["promote", "-w", "-D"]).arg(&self.data);
        run(promote).await;
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
    }

    /// Like a crash: its connections end, and nothing is written any more.
    pub async fn crash(mut self) {
        kill(Pid::from_raw(self.pid()), Signal::SIGQUIT).unwrap();
        eventually("the crash", async || self.process.try_wait().unwrap()).await;
    }

    /// Like a machine that is cut off: it is silent, and its connections stay.
    pub async fn freeze(&self) {
        let stop = |pid| kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
        stop(self.pid());
        // From then on it begins no children, and those that end stay until they are asked for.
        eventually("a stopped process", async || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
            stat.rsplit_once(") ").filter(|(_, rest)| rest.starts_with('T')).map(drop)
        })
        .await;
        self.family().into_iter().for_each(stop);
    }

    /// Itself and its children.
    fn family(&self) -> Vec<i32> {
        let is_child = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
            parent == Some(&self.pid().to_string())
        };
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let mut family = vec![self.pid()];
        family.extend(pids.filter(is_child));
        family
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children do not notice its end while they are frozen.
        for pid in self.family() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
