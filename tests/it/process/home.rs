//! Runs of the binary: their arguments, environment and output.
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use aftercall::db::LoginRole;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use sqlx::ConnectOptions as _;

use crate::support::{
    app::SEAL_KEY,
    db::{Pooler, TestDb},
    eventually,
    scratch::Scratch,
    ward::Ward,
};

/// Free ports, and short waits.
const QUICK: &[(&str, &str)] = &[
    ("AFTERCALL__API__LISTEN", "127.0.0.1:0"),
    ("AFTERCALL__WEBHOOK__LISTEN", "127.0.0.1:0"),
    ("AFTERCALL__OPS__LISTEN", "127.0.0.1:0"),
    ("AFTERCALL__SANDBOX__LISTEN", "127.0.0.1:0"),
    ("AFTERCALL__SANDBOX__LATENCY", "50ms"),
    ("AFTERCALL__SANDBOX__DELIVERY_BACKOFF", "50ms"),
    ("AFTERCALL__SANDBOX__RATE_LIMIT", "1000"),
    ("AFTERCALL__SANDBOX__AUTH_RATE_LIMIT", "1000"),
    ("AFTERCALL__PROVIDER__GATE__LIMIT", "1000"),
    ("AFTERCALL__KEYS__RATE_LIMIT", "1000000"),
    ("AFTERCALL__KEYS__UNKNOWN_KEYS", "1000000"),
    ("AFTERCALL__DATABASE__MAX_CONNECTIONS", "5"),
    ("AFTERCALL__SHUTDOWN__DRAIN_DELAY", "0s"),
    ("AFTERCALL__SHUTDOWN__TIMEOUT", "5s"),
    ("AFTERCALL__LOG__FORMAT", "json"),
];

/// A currently free port, for listeners that need a known address; below the ephemeral ports that
/// the system assigns.
pub fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| rand::random_range(20_000..32_000)).find(is_free).unwrap()
}

/// Where the binary runs and keeps its data, and its environment variables.
#[derive(Debug)]
pub struct Home {
    scratch: Scratch,
    variables: BTreeMap<String, String>,
    runs: AtomicU32,
}

impl Home {
    /// Uses its own Postgres, started on demand.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let home = Self { scratch, variables: BTreeMap::new(), runs: AtomicU32::new(0) };
        let data = home.data().display().to_string();
        let home = home.set("AFTERCALL_DATA_DIR", data);
        let home = home.set("AFTERCALL__SEAL__KEY", SEAL_KEY);
        QUICK.iter().fold(home, |home, (name, value)| home.set(name, *value))
    }

    /// Uses the database of a test, and listens without its pooler.
    pub fn on(db: &TestDb) -> Self {
        let home =
            Self::new().set("DATABASE_URL", db.options_of(LoginRole::Runtime).to_url_lossy());
        match Pooler::get() {
            Some(_) => home.set(
                "AFTERCALL__DATABASE__LISTEN_URL",
                db.direct_of(LoginRole::Runtime).to_url_lossy(),
            ),
            None => home,
        }
    }

    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    pub fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// The working folder.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The binary, with a clean environment.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_aftercall")), arguments)
    }

    /// The same, with a limit of open files.
    pub fn command_with_files(&self, files: u32, arguments: &[&str]) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"ulimit -n "$0" && exec "$@""#, &files.to_string()]);
        shell.arg(env!("CARGO_BIN_EXE_aftercall"));
        self.prepared(shell, arguments)
    }

    fn prepared<S: AsRef<OsStr>>(
        &self,
        mut command: Command,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        for (name, _) in std::env::vars() {
            let is_ours = name.starts_with("AFTERCALL_") && !name.starts_with("AFTERCALL_PG_");
            let others = ["RC_", "DATABASE_URL", "OTEL_"];
            if is_ours || others.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.args(arguments).env_remove("RUST_LOG").envs(&self.variables);
        command.current_dir(self.path());
        command
    }

    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Process {
        self.spawn(self.command(arguments))
    }

    /// Output goes to files, so that a full pipe blocks nothing and a killed process's output is
    /// kept.
    pub fn spawn(&self, mut command: Command) -> Process {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let output = |name: &str| {
            let path = self.path().join(format!("{number}.{name}"));
            (File::create(&path).unwrap(), path)
        };
        let ((out, out_path), (err, err_path)) = (output("out"), output("err"));
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Process { ward: Ward::spawn(&mut command), out: out_path, err: err_path }
    }

    /// Runs a command until it exits.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }

    /// A new API key, created by the command.
    pub async fn key(&self, caller: &str) -> String {
        self.run(&["keys", "create", caller]).await.success().trim().to_owned()
    }
}

/// A run that may still be in progress; killed on drop.
#[derive(Debug)]
pub struct Process {
    ward: Ward,
    out: PathBuf,
    err: PathBuf,
}

/// A finished run.
#[derive(Debug)]
pub struct Ended {
    /// `None`: ended by a signal.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Process {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.ward.id()).unwrap()), signal).unwrap();
    }

    pub fn kill_hard(&mut self) {
        self.ward.kill_hard();
    }

    /// The value of that line in `/proc/PID/status`, in bytes.
    pub fn memory(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.ward.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<usize>().unwrap() * 1024
    }

    /// Names of its threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.ward.id())).unwrap();
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
        tasks.filter_map(|task| Some(name(task.ok()?)?.trim().to_owned())).collect()
    }

    pub fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    pub fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// The complete lines of its log so far.
    pub fn log(&self) -> Vec<Value> {
        let text = self.out();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The first log line with this message; fails if the process exits first.
    pub async fn logged(&mut self, message: &str) -> Value {
        let line = self.says(message).await;
        line.unwrap_or_else(|| panic!("it ended:\n{}{}", self.out(), self.err()))
    }

    /// The first log line with this message; `None` if the process exits first.
    pub async fn says(&mut self, message: &str) -> Option<Value> {
        eventually(message, async || {
            let has_ended = self.has_ended();
            let line = self.log().into_iter().find(|line| line["msg"] == message);
            (line.is_some() || has_ended).then_some(line)
        })
        .await
    }

    pub fn has_ended(&mut self) -> bool {
        self.ward.try_wait().unwrap().is_some()
    }

    pub async fn ended(mut self) -> Ended {
        let status = eventually("its end", async || self.ward.try_wait().unwrap()).await;
        Ended { code: status.code(), out: self.out(), err: self.err() }
    }
}

impl Ended {
    /// Standard output of a successful run.
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// Standard error of a run that exited with `code`.
    pub fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }
}
