//! A primary server and its streaming replicas, all of them real.
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use aftercall::{db::LoginRole, embedded::Cluster};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{
    embedded,
    process::postgres,
    support::{db::TestDb, eventually, scratch::Scratch},
};

/// Not fewer than the primary's, without which a replica does not start.
const SETTINGS: [&str; 5] = [
    "max_connections=100",
    "listen_addresses=",
    "fsync=off",
    // Whatever is in the way of what must be replayed is canceled soon.
    "max_standby_streaming_delay=100ms",
    "wal_receiver_timeout=5s",
];

/// The server that is written to. Dropped in this order.
pub struct Primary {
    cluster: Cluster,
    folder: Scratch,
}

impl Primary {
    pub async fn start() -> Self {
        let folder = Scratch::new();
        let cluster = embedded::start(folder.path()).await;
        // For replicas that are stopped, or begin while another one does.
        let options = cluster.connect_options("postgres");
        let mut db = PgConnection::connect_with(&options).await.unwrap();
        for order in ["alter system set wal_keep_size = '1GB'", "select pg_reload_conf()"] {
            sqlx::raw_sql(order).execute(&mut db).await.unwrap();
        }
        db.close().await.unwrap();
        Self { cluster, folder }
    }

    pub async fn database(&self) -> TestDb {
        TestDb::on_server(self.cluster.connect_options("postgres")).await
    }

    fn data(&self) -> PathBuf {
        embedded::data(self.folder.path()).unwrap()
    }
}

/// A copy of the primary that replays what the primary writes.
pub struct Replica {
    folder: Scratch,
    /// User and group of the servers.
    owner: (u32, u32),
    server: Option<Child>,
    /// As the primary's superuser, by its socket here.
    options: PgConnectOptions,
}

impl Replica {
    pub async fn of(primary: &Primary) -> Self {
        let folder = Scratch::new();
        let by = fs::metadata(primary.data()).unwrap();
        let owner = (by.uid(), by.gid());
        chown(folder.path(), Some(owner.0), Some(owner.1)).unwrap();
        let options = primary.cluster.connect_options("postgres").socket(folder.path());
        let mut replica = Self { folder, owner, server: None, options };
        let mut copy = replica.command("pg_basebackup");
        copy.arg("-D").arg(replica.data()).arg("-h").arg(primary.cluster.sockets());
        copy.args(["-U", replica.options.get_username(), "-X", "stream", "-c", "fast", "-R"]);
        let copied = tokio::task::spawn_blocking(move || copy.output().unwrap()).await.unwrap();
        succeeded(&copied);
        replica.start().await;
        replica
    }

    /// Starts the server, and returns once it serves reads.
    pub async fn start(&mut self) {
        let mut server = self.command("postgres");
        server.arg("-D").arg(self.data());
        server.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        server.stdout(Stdio::null()).stderr(log);
        self.server = Some(server.spawn().unwrap());
        let options = self.options.clone();
        eventually("the replica", async || PgConnection::connect_with(&options).await.ok()).await;
    }

    /// Ends the server at once.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pid = i32::try_from(server.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
        server.wait().unwrap();
    }

    /// For connections with all rights.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        self.options.clone().database(database)
    }

    /// For the service.
    pub fn url(&self, database: &str) -> String {
        self.options(database).username(LoginRole::Runtime.name()).to_url_lossy().to_string()
    }

    pub async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect_with(&self.options(database)).await.unwrap()
    }

    /// Runs a statement that only a superuser may.
    pub async fn order(&self, statement: &'static str) {
        let mut db = self.connect("postgres").await;
        sqlx::raw_sql(statement).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of Postgres, as the servers' user; it ends with this thread.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aftercall"));
        command.args(["pg-exec", "--parent", &std::process::id().to_string()]);
        if nix::unistd::geteuid().is_root() {
            let (uid, gid) = self.owner;
            command.args(["--uid", &uid.to_string(), "--gid", &gid.to_string()]);
        }
        command.args(["--death-signal", "kill", "--"]).arg(postgres(program));
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop();
    }
}

fn succeeded(done: &Output) {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
