//! The wrapper between us and a Postgres program: our own binary, called with `pg-exec`.
//!
//! It drops root, asks the kernel to be killed when its parent dies, then executes the program. std
//! has no safe hook for that between fork and exec, and the death signal must be requested last,
//! because changing the user clears it (`prctl(2)`, `PR_SET_PDEATHSIG`).
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

/// The signal a program receives when the thread that started it ends, for whatever reason.
///
/// The kernel watches the *thread*, not the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeathSignal {
    /// SIGINT, on which Postgres ends its sessions and shuts down cleanly.
    Interrupt,
    Kill,
}

/// The arguments of `pg-exec`.
#[derive(Debug)]
pub struct ExecArguments {
    /// The process that started us; if it has ended, the program is not started.
    pub parent: i32,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub death_signal: DeathSignal,
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

/// A command that runs `program` through `exe pg-exec`; the caller adds its arguments.
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

/// Gives `command` a clean environment.
///
/// `PG*`, `LC_*` and `LANG` would change how Postgres behaves, and our secrets must not end up in
/// `/proc/PID/environ` of a user that others may share.
pub fn clean<'a>(command: &'a mut Command, environment: &EmbeddedEnvironment) -> &'a mut Command {
    command.env_clear().env("PATH", &environment.path).env("LC_ALL", "C");
    if let Some(path) = &environment.library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    command.current_dir("/").stdin(Stdio::null())
}

impl ExecArguments {
    /// Replaces this process with the program; returns only on failure.
    pub fn carry_out(self) -> anyhow::Result<Infallible> {
        if let Some(gid) = self.gid.map(Gid::from_raw) {
            #[cfg(not(target_vendor = "apple"))]
            nix::unistd::setgroups(&[gid]).context("dropping root's groups")?;
            setgid(gid).with_context(|| format!("switching to group {gid}"))?;
        }
        if let Some(uid) = self.uid.map(Uid::from_raw) {
            setuid(uid).with_context(|| format!("switching to user {uid}"))?;
        }
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(match self.death_signal {
            DeathSignal::Interrupt => nix::sys::signal::SIGINT,
            DeathSignal::Kill => nix::sys::signal::SIGKILL,
        })
        .context("requesting a signal for the parent's exit")?;
        // The parent may have ended before the request took effect.
        ensure!(getppid() == Pid::from_raw(self.parent), "the parent process has exited");
        let error = Command::new(&self.program).args(&self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", self.program.display()))
    }
}
