//! The step between us and a Postgres program: our own binary, called with `pg-exec`.
//!
//! It drops root, asks the kernel to be ended with its parent, then turns into the program. std
//! offers no safe place for that between fork and exec, and the death signal must be asked for
//! last: a change of user clears it (`prctl(2)`, `PR_SET_PDEATHSIG`).
use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use nix::unistd::{Gid, Pid, Uid, getppid, setgid, setuid};

use super::account::Owner;
use crate::config::EmbeddedEnvironment;

/// What a program gets when the thread that started it ends, in whatever way.
///
/// The kernel watches the *thread*, not the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeathSignal {
    /// SIGINT, on which Postgres ends its sessions and shuts down cleanly.
    Interrupt,
    Kill,
}

/// What `pg-exec` was told.
#[derive(Debug)]
pub struct Order {
    /// The process that started us; if it is gone, the program is not started.
    pub parent: i32,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub death_signal: DeathSignal,
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

/// `program` by way of `exe pg-exec`; the caller adds its arguments.
pub fn command(
    exe: &Path,
    owner: &Owner,
    environment: &EmbeddedEnvironment,
    death_signal: DeathSignal,
    program: &Path,
) -> Command {
    let mut command = Command::new(exe);
    clean(&mut command, environment);
    command.args(["pg-exec", "--parent", &std::process::id().to_string()]);
    if let Some(account) = &owner.0 {
        command.args(["--uid", &account.uid.to_string(), "--gid", &account.gid.to_string()]);
    }
    let signal = match death_signal {
        DeathSignal::Interrupt => "interrupt",
        DeathSignal::Kill => "kill",
    };
    command.args([OsStr::new("--death-signal"), signal.as_ref(), "--".as_ref(), program.as_ref()]);
    command
}

/// Gives `command` an environment of its own.
///
/// `PG*`, `LC_*` and `LANG` would change what Postgres does, and our secrets are none of its
/// business: its user may be shared with others, who can read `/proc/PID/environ`.
pub fn clean<'a>(command: &'a mut Command, environment: &EmbeddedEnvironment) -> &'a mut Command {
    command.env_clear().env("PATH", &environment.path).env("LC_ALL", "C");
    if let Some(path) = &environment.library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    command.current_dir("/").stdin(Stdio::null())
}

impl Order {
    /// Turns this process into the program; returns only if that is not possible.
    pub fn carry_out(self) -> anyhow::Result<Infallible> {
        if let Some(gid) = self.gid.map(Gid::from_raw) {
            #[cfg(not(target_vendor = "apple"))]
            nix::unistd::setgroups(&[gid]).context("dropping the groups of root")?;
            setgid(gid).with_context(|| format!("becoming group {gid}"))?;
        }
        if let Some(uid) = self.uid.map(Uid::from_raw) {
            setuid(uid).with_context(|| format!("becoming user {uid}"))?;
        }
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(match self.death_signal {
            DeathSignal::Interrupt => nix::sys::signal::SIGINT,
            DeathSignal::Kill => nix::sys::signal::SIGKILL,
        })
        .context("asking to be ended with the parent")?;
        // It may have ended before the line above.
        ensure!(getppid() == Pid::from_raw(self.parent), "the parent process has ended");
        let error = Command::new(&self.program).args(&self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", self.program.display()))
    }
}
