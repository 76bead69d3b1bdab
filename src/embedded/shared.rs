//! The shared test cluster, which runs while any process of a test run uses it.
//!
//! In: a folder. Out: the file `ready` in it, with the folder of the server's socket. Each user
//! holds a shared lock on `users.lock`; the process that starts the server holds `start.lock`.
use std::{
    fs::{self, File},
    num::NonZero,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{Cluster, DATABASE, Options, folders::write_whole, own_exe};
use crate::config::EmbeddedEnvironment;

/// Contains the folder of the socket.
pub const READY: &str = "ready";
/// Locked shared by each user.
pub const IN_USE: &str = "users.lock";
/// Locked by a process that starts or stops the server.
pub const STARTING: &str = "start.lock";

const LOOK_EVERY: Duration = Duration::from_millis(200);
const FEWEST_CONNECTIONS: u32 = 100;
const CONNECTIONS_PER_CORE: u32 = 12;

/// Runs a cluster in `folder` until it has been unused for `environment.test_idle`.
pub async fn run_shared(folder: &Path, environment: EmbeddedEnvironment) -> anyhow::Result<()> {
    let idle = environment.test_idle;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let per_cores = u32::try_from(cores)?.saturating_mul(CONNECTIONS_PER_CORE);
    let options = Options {
        root: folder.join("cluster"),
        ephemeral: true,
        exe: own_exe()?,
        max_connections: per_cores.max(FEWEST_CONNECTIONS),
        environment,
    };
    let cluster = Cluster::start(options).await?;
    if cluster.is_guest() {
        bail!("another process already runs the shared server in {}", folder.display());
    }
    cluster.create_database(DATABASE).await.context("the server does not work")?;
    let ready = folder.join(READY);
    write_whole(&ready, cluster.sockets().as_os_str().as_bytes())?;
    let _starting = until_unused(folder, idle).await?;
    fs::remove_file(&ready)?;
    cluster.stop().await;
    Ok(())
}

/// Returns with [`STARTING`] locked, so that no user can join until everything is cleaned up.
async fn until_unused(folder: &Path, idle: Duration) -> anyhow::Result<File> {
    let (users, starting) = (lock_file(folder, IN_USE)?, lock_file(folder, STARTING)?);
    let mut unused_since = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !is_free(&users)? {
            unused_since = Instant::now();
        } else if unused_since.elapsed() >= idle && starting.try_lock().is_ok() {
            // Users join under this lock, so this check is final.
            if is_free(&users)? {
                return Ok(starting);
            }
            starting.unlock()?;
        }
    }
}

fn is_free(lock: &File) -> std::io::Result<bool> {
    let free = lock.try_lock().is_ok();
    lock.unlock()?;
    Ok(free)
}

fn lock_file(folder: &Path, name: &str) -> std::io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(folder.join(name))
}
