//! Cleans up after an earlier run: an orphaned server, or the lock files of a dead one.
//!
//! Called with the launcher's lock held, so nothing found here has an owner.
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{PORT, StartError, folders::socket_file};

const FAST_SHUTDOWN: Duration = Duration::from_secs(15);
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Frees `data` and `sockets` for a new server.
pub fn clear(data: &Path, sockets: &Path) -> Result<(), StartError> {
    let pid_file = data.join("postmaster.pid");
    if let Some(pid) = named_in(&pid_file) {
        stop_orphan(pid, data)?;
        await_sessions(data)?;
        // Postgres handles the file of a dead server and frees its shared memory, but it trusts the
        // file when another process has the id by now.
        if kill(pid, None) != Err(Errno::ESRCH) {
            remove(&pid_file)?;
        }
    }
    remove(&socket_file(sockets))?;
    remove(&sockets.join(format!(".s.PGSQL.{PORT}.lock")))
}

fn remove(file: &Path) -> Result<(), StartError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StartError::at(file)(error))
        }
        _ => Ok(()),
    }
}

/// The process id is on the first line.
fn named_in(pid_file: &Path) -> Option<Pid> {
    let content = fs::read_to_string(pid_file).ok()?;
    content.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1).map(Pid::from_raw)
}

fn stop_orphan(pid: Pid, data: &Path) -> Result<(), StartError> {
    if !serves(pid, data) {
        return Ok(());
    }
    tracing::warn!(pid = pid.as_raw(), "stopping an orphaned PostgreSQL server");
    let steps = [(Signal::SIGINT, FAST_SHUTDOWN), (Signal::SIGQUIT, IMMEDIATE_SHUTDOWN)];
    for (signal, timeout) in steps {
        if kill(pid, signal) == Err(Errno::ESRCH) || ended(timeout, || !serves(pid, data)) {
            return Ok(());
        }
    }
    Err(StartError::Orphan { data: data.into(), pid: pid.as_raw() })
}

/// The sessions of a killed server notice only when they next wait. Until then they may write, and
/// a second server running beside them would corrupt the data.
fn await_sessions(data: &Path) -> Result<(), StartError> {
    let remaining = || processes().find(|pid| serves(*pid, data));
    if ended(FAST_SHUTDOWN, || remaining().is_none()) {
        return Ok(());
    }
    remaining()
        .map_or(Ok(()), |pid| Err(StartError::Orphan { data: data.into(), pid: pid.as_raw() }))
}

/// Empty on systems without `/proc`.
fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw)
}

/// Whether `pid` is a Postgres process on `data`. A zombie is not: it has neither program nor
/// folder.
fn serves(pid: Pid, data: &Path) -> bool {
    if !cfg!(target_os = "linux") {
        let listed =
            Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok();
        let text = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        return text.is_some_and(|line| line.contains(&format!("-D {}", data.display())));
    }
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
    // After an upgrade the program shows as `postgres (deleted)`.
    let is_postgres = link("exe").is_some_and(|exe| {
        exe.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgres"))
    });
    is_postgres && link("cwd").is_some_and(|cwd| cwd == data)
}

fn ended(timeout: Duration, has_ended: impl Fn() -> bool) -> bool {
    let since = Instant::now();
    while !has_ended() {
        if since.elapsed() > timeout {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}
