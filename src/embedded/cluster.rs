//! A running cluster, either owned by this process or used as the guest of the process that owns
//! it.
use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::OpenOptionsExt as _,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::watch, task::spawn_blocking};

use super::{
    Options, StartError,
    account::Owner,
    connect_options, discover,
    folders::{Folders, is_answering, write_whole},
    initdb,
    server::Plan,
    stale,
    supervisor::{Health, Supervisor},
};

/// How long the owner of a cluster may take to start it before guests give up.
const GUEST_TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// `duplicate_database`, and `unique_violation`, which concurrent creations get instead.
const EXISTS: [&str; 2] = ["42P04", "23505"];

/// A running server. Dropping it stops the server, unless this is a guest.
#[derive(Debug)]
pub struct Cluster {
    sockets: PathBuf,
    health: watch::Receiver<Health>,
    possession: Option<Possession>,
}

/// Dropped in this order: the server stops, its files are removed, the lock is released.
#[derive(Debug)]
struct Possession {
    _supervisor: Supervisor,
    _files: Files,
    _lock: File,
}

/// Files that must not outlive the server.
#[derive(Debug)]
struct Files {
    endpoint: PathBuf,
    /// Data directory of an ephemeral (test) cluster.
    data: Option<PathBuf>,
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.endpoint); // readers check that the socket accepts connections
        if let Some(Err(error)) = self.data.as_ref().map(fs::remove_dir_all) {
            tracing::warn!(%error, "cannot remove the data directory of the tests' PostgreSQL");
        }
    }
}

enum Entry {
    Owner(File),
    Guest(PathBuf),
}

impl Cluster {
    /// [`Self::start_blocking`] for async code.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let root = options.root.clone();
        match spawn_blocking(move || Self::start_blocking(options)).await {
            Ok(result) => result,
            Err(panicked) => Err(StartError::at(root)(std::io::Error::other(panicked))),
        }
    }

    /// Starts the server and returns when it accepts connections.
    ///
    /// If another process owns the cluster, waits until that server is up and becomes its guest.
    pub fn start_blocking(options: Options) -> Result<Self, StartError> {
        let owner = Owner::find(options.environment.pg_user.as_deref())?;
        let folders = Folders::prepare(&options, &owner)?;
        let (tell, health) = watch::channel(Health::Up);
        let lock = match enter(&folders)? {
            Entry::Owner(lock) => lock,
            Entry::Guest(sockets) => return Ok(Self { sockets, health, possession: None }),
        };
        let plan = prepare(options, &folders, owner)?;
        let sockets = plan.sockets.clone();
        let data = plan.options.ephemeral.then(|| plan.data.clone());
        let files = Files { endpoint: folders.endpoint(), data };
        let supervisor = Supervisor::start(plan, tell)?;
        write_whole(&files.endpoint, sockets.as_os_str().as_bytes())?;
        let possession = Possession { _supervisor: supervisor, _files: files, _lock: lock };
        Ok(Self { sockets, health, possession: Some(possession) })
    }

    /// Whether the server belongs to another process, which may stop it at any time.
    pub fn is_guest(&self) -> bool {
        self.possession.is_none()
    }

    /// The folder of the server's socket.
    pub fn sockets(&self) -> &Path {
        &self.sockets
    }

    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        connect_options(&self.sockets, database)
    }

    /// Creates `database` if it does not exist. The name becomes part of a statement, so it must
    /// not come from outside.
    pub async fn create_database(&self, database: &'static str) -> sqlx::Result<()> {
        let mut db = PgConnection::connect_with(&self.connect_options("postgres")).await?;
        let is_there: bool =
            sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(database)
                .fetch_one(&mut db)
                .await?;
        if !is_there {
            let statement = AssertSqlSafe(format!("create database {database}"));
            match sqlx::raw_sql(statement).execute(&mut db).await {
                Err(sqlx::Error::Database(error))
                    if error.code().is_some_and(|code| EXISTS.contains(&&*code)) => {}
                other => {
                    other?;
                }
            }
        }
        db.close().await
    }

    /// For readiness. A guest cannot tell and reports [`Health::Up`].
    pub fn health(&self) -> Health {
        *self.health.borrow()
    }

    /// Stops the server without blocking this thread; close all pools first.
    pub async fn stop(self) {
        if let Err(error) = spawn_blocking(move || drop(self)).await {
            tracing::error!(%error, "cannot stop PostgreSQL");
        }
    }
}

/// Takes the lock, or finds the server of the process that holds it.
fn enter(folders: &Folders) -> Result<Entry, StartError> {
    let path = folders.lock();
    let mut open = File::options();
    let lock = open.create(true).truncate(false).write(true).mode(0o600).open(&path);
    let lock = lock.map_err(StartError::at(&path))?;
    let since = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Entry::Owner(lock)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(StartError::at(path)(error)),
        }
        let named = fs::read(folders.endpoint()).ok();
        let sockets = named.map(|bytes| PathBuf::from(OsString::from_vec(bytes)));
        if let Some(sockets) = sockets.filter(|sockets| is_answering(sockets)) {
            return Ok(Entry::Guest(sockets));
        }
        if since.elapsed() > GUEST_TIMEOUT {
            return Err(StartError::Busy(folders.root.clone()));
        }
        std::thread::sleep(POLL);
    }
}

/// Everything before starting the server: find its programs, clean up, create its files.
fn prepare(options: Options, folders: &Folders, owner: Owner) -> Result<Plan, StartError> {
    let _ = fs::remove_file(folders.endpoint()); // left by an owner that was killed
    let binaries = discover::find(folders, &owner, &options.environment)?;
    for major in folders.majors().iter().filter(|major| **major != binaries.major) {
        tracing::warn!(
            major,
            used = binaries.major,
            "the data folder also has data of another PostgreSQL version"
        );
    }
    let data = folders.data(binaries.major);
    let sockets = folders.sockets();
    owner.make_folder(&sockets)?;
    stale::clear(&data, &sockets)?;
    if options.ephemeral && data.exists() {
        // Its writes were never flushed, so they cannot be trusted after a crash.
        fs::remove_dir_all(&data).map_err(StartError::at(&data))?;
    }
    initdb::ensure(&options, folders, &owner, &binaries)?;
    let log = folders.log();
    let _ = fs::rename(&log, log.with_extension("log.1")); // the first start has none
    Ok(Plan { options, owner, binaries, data, sockets, log })
}
