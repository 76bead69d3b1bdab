//! The managed Postgres: a private cluster that Aftercall starts, watches and stops.
//!
//! [`Options`] go in, a [`Cluster`] comes out; it listens on a Unix socket that only its owner can
//! open. Used when no database is configured, and by the tests. It is independent of other servers
//! on the machine and of `PG*` and `LANG`.
#[cfg(unix)]
mod account;
#[cfg(unix)]
mod cluster;
#[cfg(unix)]
mod discover;
mod error;
#[cfg(unix)]
mod exec_wrapper;
#[cfg(unix)]
mod fetch;
#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod initdb;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod shared;
#[cfg(unix)]
mod stale;
#[cfg(unix)]
mod supervisor;
#[cfg(not(unix))]
mod unsupported;

use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::config::EmbeddedEnvironment;

#[cfg(unix)]
pub use cluster::Cluster;
pub use error::StartError;
#[cfg(unix)]
pub use exec_wrapper::{DeathSignal, ExecArguments};
#[cfg(unix)]
pub use folders::data_root;
#[cfg(unix)]
pub use shared::{IN_USE, READY, STARTING, run_shared};
#[cfg(unix)]
pub use supervisor::Health;
#[cfg(not(unix))]
pub use unsupported::{Cluster, Health, data_root};

/// The database that Aftercall uses in its cluster.
pub const DATABASE: &str = "aftercall";

/// The cluster's only role, a superuser.
const ROLE: &str = "aftercall";

/// Part of the socket's file name; there is no TCP listener.
const PORT: u16 = 5432;

/// How a cluster is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds all files of the cluster; created when missing.
    pub root: PathBuf,
    /// A test cluster: fast, not durable, empty at every start and deleted at the end.
    pub ephemeral: bool,
    /// The `aftercall` binary, which starts the server through its hidden `pg-exec` command.
    pub exe: PathBuf,
    pub max_connections: u32,
    pub environment: EmbeddedEnvironment,
}

impl Options {
    /// The service's cluster: durable, in the data folder.
    pub fn durable(environment: EmbeddedEnvironment, max_connections: u32) -> anyhow::Result<Self> {
        let root = data_root(&environment)?;
        Ok(Self { root, ephemeral: false, exe: own_exe()?, max_connections, environment })
    }
}

/// The running binary. On Linux this path works even after an upgrade has replaced the file.
fn own_exe() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Options for connecting to `database` on the server whose socket is in `sockets`.
///
/// Sets everything that sqlx would otherwise read from `PG*`, except `PGOPTIONS`, which it always
/// adds.
pub fn connect_options(sockets: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(PORT)
        .username(ROLE)
        .password("")
        .database(database)
        .application_name("aftercall")
        .ssl_mode(PgSslMode::Disable)
}
