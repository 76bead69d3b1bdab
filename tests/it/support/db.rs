//! A separate database for each test, cloned from a migrated template.
//!
//! All test processes of this checkout share one server: the first process starts it through the
//! hidden `aftercall pg-supervise`, which stops it when it has been unused for ten seconds
//! (`AFTERCALL_TEST_PG_IDLE`). `TEST_DATABASE_URL` selects another server, and `TEST_POOLER` a pooler before it, for code under
//! test (see tests/pgbouncer/run).
use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    os::unix::{
        ffi::OsStringExt as _,
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aftercall::{
    db::{self, LoginRole, MIGRATOR, ROLES},
    embedded::{IN_USE, READY, STARTING, connect_options},
};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::OnceCell;
use url::Url;

use super::{eventually, scratch};

/// Arbitrary, but the same in all test processes.
const TEMPLATE_LOCK: i64 = 4_711_001;
const POOL_SIZE: u32 = 5;

/// A migrated database without rows.
///
/// Dropped at the end of the test; kept and printed if the test failed.
#[derive(Debug)]
pub struct TestDb {
    /// For the test's own statements; with all rights.
    pub pool: PgPool,
    /// For code under test: with the rights that the service has.
    pub runtime: PgPool,
    name: String,
    admin: PgConnectOptions,
}

impl TestDb {
    pub async fn new() -> Self {
        let server = Server::shared().await;
        Self::cloned(server, &server.template).await
    }

    /// The same on a server of the test's own.
    pub async fn on_server(admin: PgConnectOptions) -> Self {
        let server = Server::prepare(admin, None).await;
        Self::cloned(&server, &server.template).await
    }

    /// A database with the migrations up to this one.
    pub async fn at(version: i64) -> Self {
        let db = Self::cloned(Server::shared().await, "template0").await;
        MIGRATOR.run_to(version, &db.pool).await.unwrap();
        db
    }

    async fn cloned(server: &Server, template: &str) -> Self {
        let name = format!("t_{}_{:08x}", std::process::id(), rand::random::<u32>());
        let mut admin = PgConnection::connect_with(&server.admin).await.unwrap();
        let strategy = server.strategy;
        run(&mut admin, format!("create database {name} template {template} {strategy}")).await;
        admin.close().await.unwrap();

        let options = server.admin.clone().database(&name);
        let runtime = pool(pooled(options.clone().username(LoginRole::Runtime.name())));
        Self { pool: pool(options), runtime, name, admin: server.admin.clone() }
    }

    /// For the test's own connections, with all rights.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.admin.clone().database(&self.name)
    }

    /// For code under test that opens its own connections: through the pooler, if there is one.
    pub fn options_of(&self, role: LoginRole) -> PgConnectOptions {
        pooled(self.direct_of(role))
    }

    /// The same, never through a pooler.
    pub fn direct_of(&self, role: LoginRole) -> PgConnectOptions {
        self.connect_options().username(role.name())
    }

    /// For code under test that listens; the pool it uses otherwise is `db`.
    pub fn direct(&self, db: &PgPool) -> PgPool {
        let is_pooled = Pooler::get().is_some_and(|pooler| pooler.is_of(&db.connect_options()));
        if is_pooled { pool(self.direct_of(LoginRole::Runtime)) } else { db.clone() }
    }

    /// Connections of dashboards.
    pub fn reader(&self) -> PgPool {
        pool(self.direct_of(LoginRole::Reader))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends all connections to the database.
    pub async fn end_sessions(&self) {
        end_sessions(&mut self.admin().await, &self.name).await;
    }

    /// A connection to the server's maintenance database.
    pub async fn admin(&self) -> PgConnection {
        PgConnection::connect_with(&self.admin).await.unwrap()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let socket = self.admin.get_socket().cloned().unwrap_or_default();
            eprintln!(
                "kept for you: psql -h {} -U {} {} (AFTERCALL_TEST_PG_IDLE=3600 keeps the server)",
                socket.display(),
                self.admin.get_username(),
                self.name
            );
            return;
        }
        // A separate thread: the test's runtime is blocked by this drop.
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let mut db = PgConnection::connect_with(&admin).await.unwrap();
                end_sessions(&mut db, &name).await;
                run(&mut db, format!("drop database if exists {name} with (force)")).await;
                db.close().await.unwrap();
            });
        });
        dropped.join().unwrap();
    }
}

/// Where a pooler listens.
#[derive(Debug)]
pub struct Pooler {
    sockets: PathBuf,
    pub port: u16,
}

impl Pooler {
    /// `TEST_POOLER`: the folder of its socket and its port, as in `/tmp/x:6432`.
    pub fn get() -> Option<Self> {
        let given = std::env::var("TEST_POOLER").ok()?;
        let (sockets, port) = given.rsplit_once(':').unwrap();
        Some(Self { sockets: sockets.into(), port: port.parse().unwrap() })
    }

    /// The same options through the pooler.
    pub fn through(&self, options: PgConnectOptions) -> PgConnectOptions {
        options.socket(&self.sockets).port(self.port)
    }

    fn is_of(&self, options: &PgConnectOptions) -> bool {
        options.get_socket() == Some(&self.sockets)
    }
}

fn pooled(options: PgConnectOptions) -> PgConnectOptions {
    // `sqlx` would send it; the service does not (`db::options`).
    let options = options.extra_float_digits(None);
    match Pooler::get() {
        Some(pooler) => pooler.through(options),
        None => options,
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(POOL_SIZE).connect_lazy_with(options)
}

/// Ends all sessions in `database`. `with (force)` alone would sleep for 100 ms
/// (`CountOtherDBBackends` in `procarray.c`), which is longer than most tests take.
async fn end_sessions(db: &mut PgConnection, database: &str) {
    eventually("the end of all sessions", async || {
        let ended: i64 = sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where datname = $1 and backend_type = 'client backend'",
        )
        .bind(database)
        .fetch_one(&mut *db)
        .await
        .unwrap();
        (ended == 0).then_some(())
    })
    .await;
}

/// The name of the migrated template, created if it does not exist.
async fn template(options: &PgConnectOptions, admin: &mut PgConnection) -> String {
    let mut hash = Sha256::new_with_prefix(ROLES);
    for migration in MIGRATOR.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    let name = format!("tpl_{:016x}", short(hash));
    let exists = "select exists (select from pg_database where datname = $1 and datistemplate)";
    let is_there = sqlx::query_scalar::<_, bool>(exists).bind(&name);
    if is_there.fetch_one(&mut *admin).await.unwrap() {
        return name;
    }
    sqlx::query("select pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut *admin)
        .await
        .unwrap();
    let is_there = sqlx::query_scalar::<_, bool>(exists).bind(&name);
    if !is_there.fetch_one(&mut *admin).await.unwrap() {
        let unfinished = format!("{name}_unfinished");
        run(admin, format!("drop database if exists {unfinished} with (force)")).await;
        run(admin, format!("create database {unfinished}")).await;
        let db = pool(options.clone().database(&unfinished));
        db::migrate(&db).await.unwrap();
        db.close().await;
        run(admin, format!("alter database {unfinished} rename to {name}")).await;
        run(admin, format!("alter database {name} is_template true allow_connections false")).await;
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(admin).await.unwrap();
    name
}

async fn run(db: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(db).await.unwrap();
}

fn short(hash: Sha256) -> u64 {
    hash.finalize().iter().take(8).fold(0, |short, byte| short << 8 | u64::from(*byte))
}

/// The server that this process uses until it exits.
#[derive(Debug)]
struct Server {
    admin: PgConnectOptions,
    template: String,
    /// For `create database`.
    strategy: &'static str,
    /// Tells the supervisor that the server is in use.
    _in_use: Option<File>,
}

impl Server {
    async fn shared() -> &'static Self {
        static SERVER: OnceCell<Server> = OnceCell::const_new();
        SERVER.get_or_init(Self::attach).await
    }

    async fn attach() -> Self {
        if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            let server = Self::prepare(url.parse().unwrap(), None).await;
            let password = Url::parse(&url).unwrap().password().map(SecretString::from);
            for role in [LoginRole::Runtime, LoginRole::Reader] {
                if let Some(password) = &password {
                    let mut admin = PgConnection::connect_with(&server.admin).await.unwrap();
                    db::set_password(&mut admin, role, password).await.unwrap();
                }
            }
            return server;
        }
        let folder = shared_folder();
        let lock_file = |name: &str| {
            let mut open = File::options();
            open.create(true).truncate(false).write(true).open(folder.join(name)).unwrap()
        };
        let starting = lock_file(STARTING);
        starting.lock().unwrap();
        let in_use = lock_file(IN_USE);
        in_use.lock_shared().unwrap();
        let sockets = match sockets(&folder) {
            Some(sockets) => sockets,
            None => supervisor(&folder).await,
        };
        Self::prepare(connect_options(&sockets, "postgres"), Some(in_use)).await
    }

    async fn prepare(admin: PgConnectOptions, in_use: Option<File>) -> Self {
        let mut db = PgConnection::connect_with(&admin).await.unwrap();
        let template = template(&admin, &mut db).await;
        // Copying files is faster than logging the copy, but ends in a checkpoint, which is cheap
        // only on a server without fsync. Postgres 14 does not support the option.
        let version = db.server_version_num().unwrap();
        let fsync: String = sqlx::query_scalar("show fsync").fetch_one(&mut db).await.unwrap();
        let is_fast = fsync == "off" && version >= 150_000;
        db.close().await.unwrap();
        let strategy = if is_fast { "strategy file_copy" } else { "" };
        Self { admin, template, strategy, _in_use: in_use }
    }
}

/// One folder per checkout and user, so that checkouts do not interfere.
fn shared_folder() -> PathBuf {
    let checkout = short(Sha256::new_with_prefix(env!("CARGO_MANIFEST_DIR")));
    let uid = nix::unistd::geteuid();
    let folder = scratch::base().join(format!("aftercall-test-{uid}-{checkout:016x}"));
    let _ = fs::create_dir(&folder); // may exist from an earlier run
    let owner = fs::symlink_metadata(&folder).unwrap().uid();
    assert_eq!(owner, uid.as_raw(), "{} belongs to somebody else", folder.display());
    // The server's user must be able to traverse it; no one needs to list it.
    fs::set_permissions(&folder, Permissions::from_mode(0o711)).unwrap();
    folder
}

/// The folder of the server's socket, if a server is running.
fn sockets(folder: &Path) -> Option<PathBuf> {
    let sockets = PathBuf::from(OsString::from_vec(fs::read(folder.join(READY)).ok()?));
    UnixStream::connect(sockets.join(".s.PGSQL.5432")).is_ok().then_some(sockets)
}

/// Starts a server that outlives this process, and waits for it.
async fn supervisor(folder: &Path) -> PathBuf {
    let _ = fs::remove_file(folder.join(READY)); // left by a killed server
    let log_path = folder.join("supervisor.log");
    let log = File::create(&log_path).unwrap();
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_aftercall"))
        .arg("pg-supervise")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    eventually("the tests' server", async || {
        if let Some(status) = supervisor.try_wait().unwrap() {
            let log = fs::read_to_string(&log_path).unwrap();
            panic!("the tests' server did not start ({status}):\n{log}");
        }
        sockets(folder)
    })
    .await
}
