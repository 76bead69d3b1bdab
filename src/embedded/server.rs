//! One run of the `postgres` program, from start to exit.
use std::{
    fs::{self, OpenOptions},
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, ChildStdin},
    time::{Instant, sleep, timeout},
};

use super::{
    Options, PORT, StartError,
    account::Owner,
    discover::Binaries,
    exec_wrapper::{self, DeathSignal},
    stale,
};

/// Includes crash recovery.
const READY_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);
const LOG_LINES_SHOWN: usize = 8;

/// How long the server may take after each signal: fast shutdown, immediate shutdown, kill.
const SHUTDOWN: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(10)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];

/// Settings that trade durability for speed; a test cluster is deleted anyway.
const EPHEMERAL: [&str; 8] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "autovacuum=off",
    "jit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "shared_buffers=64MB",
];

/// Everything needed to start and restart the server.
#[derive(Debug)]
pub struct Plan {
    pub options: Options,
    pub owner: Owner,
    pub binaries: Binaries,
    pub data: PathBuf,
    pub sockets: PathBuf,
    pub log: PathBuf,
}

/// A running server. It must be started and kept by a thread that outlives it; see [`DeathSignal`].
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Kept only to be closed; see [`Server::open_lifeline`].
    lifeline: Option<ChildStdin>,
}

impl Plan {
    /// Starts the server and waits until it accepts connections.
    pub async fn launch(&self) -> Result<Server, StartError> {
        stale::clear(&self.data, &self.sockets)?;
        let left_over = fs::read_to_string(self.pid_file()).unwrap_or_default();
        let mut command = tokio::process::Command::from(self.command()?);
        let child = command.spawn().map_err(StartError::at(&self.options.exe))?;
        let mut server = Server { child, lifeline: None };
        if !cfg!(target_os = "linux") {
            server.lifeline = server.open_lifeline(&self.data)?;
        }
        match self.await_ready(&mut server, &left_over).await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.shut_down().await;
                Err(error)
            }
        }
    }

    fn command(&self) -> Result<Command, StartError> {
        let options = &self.options;
        let mut command = exec_wrapper::command(
            &options.exe,
            &self.owner,
            &options.environment,
            DeathSignal::Interrupt,
            &self.binaries.folder.join("postgres"),
        );
        command.arg("-D").arg(&self.data);
        let mut set = |setting: &str| {
            command.args(["-c", setting]);
        };
        set("listen_addresses=");
        set(&format!("port={PORT}"));
        set("unix_socket_permissions=0700");
        set(&format!("max_connections={}", options.max_connections));
        set("timezone=UTC");
        set("log_timezone=UTC");
        set("log_min_messages=warning");
        set("log_checkpoints=off");
        if options.ephemeral {
            EPHEMERAL.iter().copied().for_each(set);
        }
        let mut sockets = b"unix_socket_directories=".to_vec();
        sockets.extend_from_slice(self.sockets.as_os_str().as_bytes());
        command.arg("-c").arg(std::ffi::OsStr::from_bytes(&sockets));

        let mut open = OpenOptions::new();
        let log = open.create(true).append(true).mode(0o600).open(&self.log);
        let log = log.map_err(StartError::at(&self.log))?;
        let also = log.try_clone().map_err(StartError::at(&self.log))?;
        command.stdout(log).stderr(also);
        // A separate process group: Ctrl-C in the terminal is for us, and we stop the server when
        // done.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    fn pid_file(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    /// Reads the server's own pid file: line 1 is its process id, line 8 its state.
    ///
    /// `left_over` is what an earlier server left there. In a restarted container it most likely
    /// had the same process id.
    async fn await_ready(&self, server: &mut Server, left_over: &str) -> Result<(), StartError> {
        let pid_file = self.pid_file();
        let since = Instant::now();
        loop {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(self.failure(format!("ended at once ({status})")));
            }
            let content = fs::read_to_string(&pid_file).unwrap_or_default();
            let line = |number: usize| content.lines().nth(number - 1).map(str::trim);
            let named = line(1).and_then(|pid| pid.parse().ok());
            let is_current = content != left_over && named.is_some() && named == server.child.id();
            if is_current && line(8) == Some("ready") {
                return Ok(());
            }
            if since.elapsed() > READY_WITHIN {
                return Err(self.failure(format!("was not ready after {READY_WITHIN:?}")));
            }
            sleep(POLL).await;
        }
    }

    /// An error that says the server did `what`, with the last lines of its log.
    fn failure(&self, what: String) -> StartError {
        let text = String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
        StartError::Server { what, log: self.log.clone(), tail }
    }
}

impl Server {
    /// Waits until the server exits on its own; returns its exit status.
    pub async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Stops the server, escalating signals. It rolls back its clients' open transactions.
    pub async fn shut_down(&mut self) {
        for (signal, limit) in SHUTDOWN {
            // `None` once the process has been waited for: its id may have been reused.
            let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
            let _ = kill(Pid::from_raw(pid), signal); // it may have ended just now
            if timeout(limit, self.child.wait()).await.is_ok() {
                return;
            }
            tracing::warn!(pid, %signal, timeout = ?limit, "PostgreSQL does not exit");
        }
    }

    /// Replaces the death signal on kernels without one: a helper reads from a pipe that only we
    /// hold, and shuts the server down when the pipe closes.
    fn open_lifeline(&self, data: &Path) -> Result<Option<ChildStdin>, StartError> {
        const HELPER: &str =
            r#"read _; [ "$(head -n1 "$2/postmaster.pid")" = "$1" ] && kill -INT "$1""#;
        let pid = self.child.id().unwrap_or_default().to_string();
        let mut helper = tokio::process::Command::new("/bin/sh");
        helper.args(["-c", HELPER, "sh", &pid]).arg(data).process_group(0);
        helper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = helper.spawn().map_err(StartError::at("/bin/sh"))?;
        Ok(child.stdin.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell that runs the tests in the background makes them ignore SIGINT, which `sleep` would
    /// inherit; a real server sets its own handler. GNU's `env` resets it.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn without_a_death_signal_the_helper_ends_the_server() {
        let data = std::env::temp_dir().join(format!("aftercall-lifeline-{}", std::process::id()));
        fs::create_dir_all(&data).unwrap();
        let child = tokio::process::Command::new("env")
            .args(["--default-signal=INT", "sleep", "60"])
            .spawn()
            .unwrap();
        let mut server = Server { child, lifeline: None };
        let pid = server.child.id().unwrap();
        fs::write(data.join("postmaster.pid"), format!("{pid}\n")).unwrap();

        let lifeline = server.open_lifeline(&data).unwrap();
        drop(lifeline);
        assert!(server.ended().await.contains("SIGINT"));
        fs::remove_dir_all(&data).unwrap();
    }
}
