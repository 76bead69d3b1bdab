//! The system under test: a private durable Postgres, and the service as a separate process.
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aftercall::{
    callers::{self, KeyTerms, Scope},
    config::EmbeddedEnvironment,
    db::{self, PoolOptions},
    embedded::{Cluster, Options},
};
use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::net::TcpStream;

use super::{
    load::{self, Requests},
    procfs::Process,
};

const EXE: &str = env!("CARGO_BIN_EXE_aftercall");
const CONNECTIONS: u32 = 150;
/// How long the service may take to start before the benchmark gives up.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Postgres with default settings, and the working folder.
pub struct Stand {
    cluster: Option<Cluster>,
    pub folder: PathBuf,
    pub pgbench: PathBuf,
    pub postgres: Process,
    /// Environment variables of the service.
    settings: Vec<(String, String)>,
}

/// A migrated database and the API key of its only caller.
pub struct Database {
    pub name: &'static str,
    pub pool: PgPool,
    pub key: String,
    /// For other processes; the socket's folder admits no other user.
    pub url: String,
}

impl Stand {
    /// `settings`: the service's, as `section.key=value`.
    pub async fn start(folder: &Path, settings: &[String]) -> anyhow::Result<Self> {
        let variable = |setting: &String| {
            let (key, value) = setting.split_once('=').context("--set takes KEY=VALUE")?;
            let name = format!("AFTERCALL__{}", key.replace('.', "__").to_uppercase());
            anyhow::Ok((name, value.to_owned()))
        };
        let settings = settings.iter().map(variable).collect::<anyhow::Result<_>>()?;
        let folder = folder.join(format!("aftercall-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let environment = EmbeddedEnvironment::read();
        let options = Options {
            root: folder.join("cluster"),
            ephemeral: false,
            exe: EXE.into(),
            max_connections: CONNECTIONS,
            environment,
        };
        let cluster = Cluster::start(options).await?;
        let options = cluster.connect_options("postgres");
        let pool = db::connect(options, pool_options()).await?;
        let (data, binaries): (String, String) = sqlx::query_as(
            "select current_setting('data_directory'),
                (select setting from pg_config where name = 'BINDIR')",
        )
        .fetch_one(&pool)
        .await?;
        pool.close().await;
        let pid = fs::read_to_string(Path::new(&data).join("postmaster.pid"))?;
        let pid = pid.lines().next().context("postmaster.pid is empty")?.parse()?;
        let pgbench = Path::new(&binaries).join("pgbench");
        anyhow::ensure!(pgbench.exists(), "{} is missing", pgbench.display());
        Ok(Self { cluster: Some(cluster), folder, pgbench, postgres: Process(pid), settings })
    }

    pub fn sockets(&self) -> &Path {
        self.cluster.as_ref().map_or(Path::new(""), Cluster::sockets)
    }

    pub async fn database(&self, name: &'static str) -> anyhow::Result<Database> {
        let pool = self.empty(name).await?;
        self.ready(name, pool).await
    }

    pub fn options(&self, database: &str) -> anyhow::Result<PgConnectOptions> {
        Ok(self.cluster.as_ref().context("stopped")?.connect_options(database))
    }

    /// Without the schema.
    pub async fn empty(&self, name: &'static str) -> anyhow::Result<PgPool> {
        self.cluster.as_ref().context("stopped")?.create_database(name).await?;
        Ok(db::connect(self.options(name)?, pool_options()).await?)
    }

    /// Migrates it and makes a key.
    pub async fn ready(&self, name: &'static str, pool: PgPool) -> anyhow::Result<Database> {
        db::migrate(&pool).await?;
        let scopes = [Scope::PLAIN, &[Scope::AdminRead]].concat();
        let terms = KeyTerms { scopes: &scopes, ..KeyTerms::default() };
        let key = callers::create(&pool, "bench", "bench", terms).await?;
        let sockets = self.sockets().display();
        let url = format!("postgres://aftercall@localhost:5432/{name}?host={sockets}");
        Ok(Database { name, pool, key: key.text.expose_secret().to_owned(), url })
    }

    /// Stops the server and removes all its files unless `keep` is set.
    pub async fn stop(mut self, keep: bool) -> anyhow::Result<()> {
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await;
        }
        if !keep {
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }
}

fn pool_options() -> PoolOptions {
    PoolOptions { max_connections: 8, acquire_timeout: Duration::from_secs(30) }
}

/// `aftercall serve` with the roles api and webhook; killed on drop.
pub struct Service {
    child: Child,
    pub api: SocketAddr,
    pub webhook: SocketAddr,
    pub ops: SocketAddr,
    pub process: Process,
    /// From process start to the first 200 of `/readyz`.
    pub ready_after: Duration,
}

impl Service {
    pub async fn start(stand: &Stand, database: &Database) -> anyhow::Result<Self> {
        Self::start_with(stand, database, &[]).await
    }

    /// The same with further environment variables.
    pub async fn start_with(
        stand: &Stand,
        database: &Database,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let [api, webhook, ops] = free_addresses()?;
        let name = format!("service-{}-{}.log", database.name, ops.port());
        let log = File::create(stand.folder.join(name))?;
        let started = Instant::now();
        let child = Command::new(EXE)
            .arg("serve")
            .env_clear()
            .env("AFTERCALL_ENV", "dev")
            .env("AFTERCALL__ROLES", "api,webhook")
            .env("AFTERCALL__DATABASE__EMBEDDED", "off")
            .env("DATABASE_URL", &database.url)
            .env("AFTERCALL__API__LISTEN", api.to_string())
            .env("AFTERCALL__WEBHOOK__LISTEN", webhook.to_string())
            .env("AFTERCALL__OPS__LISTEN", ops.to_string())
            .env("AFTERCALL__KEYS__RATE_LIMIT", "100000000")
            .env("AFTERCALL__SHUTDOWN__DRAIN_DELAY", "0s")
            .envs(stand.settings.iter().map(|(name, value)| (name, value)))
            .envs(variables.iter().copied())
            .current_dir(&stand.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let process = Process(child.id());
        let mut service = Self { child, api, webhook, ops, process, ready_after: Duration::ZERO };
        service.wait_until_ready(ops, started).await?;
        service.ready_after = started.elapsed();
        Ok(service)
    }

    async fn wait_until_ready(&mut self, ops: SocketAddr, since: Instant) -> anyhow::Result<()> {
        let head = "GET /readyz HTTP/1.1\r\nhost: bench\r\n\r\n".to_owned();
        let (heads, body) = (vec![head].into(), Vec::new().into());
        let requests = Requests { address: ops, heads, body, status: 200 };
        loop {
            if TcpStream::connect(ops).await.is_ok() && load::closed(&requests, 1, 1).await.is_ok()
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the service ended: {status}; see its log, kept with --keep");
            }
            anyhow::ensure!(since.elapsed() < START_TIMEOUT, "the service does not start");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Nothing in it needs a graceful shutdown.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_addresses() -> std::io::Result<[SocketAddr; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (api, webhook, ops) = (bind()?, bind()?, bind()?);
    Ok([api.local_addr()?, webhook.local_addr()?, ops.local_addr()?])
}
