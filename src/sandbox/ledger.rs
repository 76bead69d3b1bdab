//! The sandbox's jobs, in memory and, when a path is set, in an append-only file of JSON lines.
//!
//! A job is on disk before it is accepted, so that a restart completes it. Each delivery is
//! recorded before it is sent and its response afterwards: the file is evidence of what a receiver
//! was sent. It contains webhook URLs and recording URLs and is readable only by its owner.
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{faults::SandboxFault, request::AnalyzeRequest};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    #[serde(rename = "jobId")]
    pub id: String,
    pub created: DateTime<Utc>,
    /// Value of `RCRequestId` on the response to the submission.
    pub request_id: String,
    /// `None` when no callback was requested.
    pub webhook: Option<String>,
    pub request: AnalyzeRequest,
    pub faults: Vec<SandboxFault>,
    #[serde(skip)]
    pub finished: Option<Finished>,
    /// Deliveries tried.
    #[serde(skip)]
    pub tries: u32,
    /// Nothing more will be delivered.
    #[serde(skip)]
    pub settled: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    pub completed: DateTime<Utc>,
    /// `Success` or `Fail`.
    pub status: String,
    pub response: Value,
}

/// A delivery that is about to be sent. Whether it was sent is known only from its [`Try`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sending {
    pub at: DateTime<Utc>,
    pub number: u32,
    /// Of the body as sent over the wire.
    pub bytes: usize,
    /// In base64.
    pub sha256: String,
}

/// A delivery and its outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Try {
    pub at: DateTime<Utc>,
    pub number: u32,
    /// `None` when there was no response.
    pub answer: Option<u16>,
    /// Whether this was the last delivery.
    pub settled: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum LedgerEntry {
    Accepted(Box<Job>),
    #[serde(rename_all = "camelCase")]
    Finished {
        job_id: String,
        finished: Finished,
    },
    #[serde(rename_all = "camelCase")]
    Sending {
        job_id: String,
        sending: Sending,
    },
    #[serde(rename_all = "camelCase")]
    Delivery {
        job_id: String,
        delivery: Try,
    },
}

impl LedgerEntry {
    fn job_id(&self) -> &str {
        match self {
            Self::Accepted(job) => &job.id,
            Self::Finished { job_id, .. }
            | Self::Sending { job_id, .. }
            | Self::Delivery { job_id, .. } => job_id,
        }
    }
}

#[derive(Debug)]
pub struct Ledger {
    jobs: Mutex<BTreeMap<String, Job>>,
    retention: Duration,
    file: Option<Arc<Mutex<File>>>,
    /// Held while the ledger is open: two writers would lose each other's jobs.
    lock: Option<File>,
}

impl Ledger {
    /// Loads the file, if any, leaving out jobs past `retention` at `now`.
    pub fn open(
        path: Option<&Path>,
        retention: Duration,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let mut ledger = Self { jobs: Mutex::default(), retention, file: None, lock: None };
        let Some(path) = path else { return Ok(ledger) };
        let context = || format!("the sandbox's ledger {}", path.display());
        let lock =
            private().create(true).truncate(false).write(true).open(path.with_extension("lock"));
        let lock = lock.with_context(context)?;
        lock.try_lock().with_context(|| format!("{} is in use", context()))?;
        let mut entries = read(path).with_context(context)?;
        let mut jobs = BTreeMap::new();
        for entry in &entries {
            apply(entry, &mut jobs);
        }
        jobs.retain(|_, job| !is_past(job, retention, now));
        entries.retain(|entry| jobs.contains_key(entry.job_id()));
        let file = rewrite(path, &entries).with_context(context)?;
        ledger.jobs = Mutex::new(jobs);
        ledger.file = Some(Arc::new(Mutex::new(file)));
        ledger.lock = Some(lock);
        Ok(ledger)
    }

    /// Durable when this returns; also forgets jobs past their retention.
    pub async fn accept(&self, job: Job) -> anyhow::Result<()> {
        let now = job.created;
        self.write(LedgerEntry::Accepted(Box::new(job)), true).await?;
        self.jobs().retain(|_, job| !is_past(job, self.retention, now));
        Ok(())
    }

    pub async fn finish(&self, job_id: &str, finished: Finished) -> anyhow::Result<()> {
        self.write(LedgerEntry::Finished { job_id: job_id.to_owned(), finished }, true).await
    }

    /// In the file when this returns, but not synced: it survives a killed process, not a power
    /// failure.
    pub async fn sending(&self, job_id: &str, sending: Sending) -> anyhow::Result<()> {
        self.write(LedgerEntry::Sending { job_id: job_id.to_owned(), sending }, false).await
    }

    /// Not synced: if a crash loses it, the delivery is repeated.
    pub async fn delivered(&self, job_id: &str, delivery: Try) -> anyhow::Result<()> {
        self.write(LedgerEntry::Delivery { job_id: job_id.to_owned(), delivery }, false).await
    }

    /// `None` when the job does not exist or has expired at `now`.
    pub fn job(&self, job_id: &str, now: DateTime<Utc>) -> Option<Job> {
        self.jobs().get(job_id).filter(|job| !is_past(job, self.retention, now)).cloned()
    }

    /// Jobs that still need analysis or delivery.
    pub fn unsettled(&self) -> Vec<String> {
        self.jobs().values().filter(|job| !job.settled).map(|job| job.id.clone()).collect()
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, entry: LedgerEntry, durably: bool) -> anyhow::Result<()> {
        if let Some(file) = self.file.clone() {
            let line = line(&entry)?;
            let write = move || {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(&line)?;
                if durably { file.sync_data() } else { Ok(()) }
            };
            tokio::task::spawn_blocking(write).await?.context("writing the sandbox's ledger")?;
        }
        apply(&entry, &mut self.jobs());
        Ok(())
    }
}

fn is_past(job: &Job, retention: Duration, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(job.created).to_std().is_ok_and(|age| age > retention)
}

fn apply(entry: &LedgerEntry, jobs: &mut BTreeMap<String, Job>) {
    if let LedgerEntry::Accepted(job) = entry {
        jobs.insert(job.id.clone(), (**job).clone());
    }
    let Some(job) = jobs.get_mut(entry.job_id()) else { return };
    match entry {
        LedgerEntry::Accepted(_) | LedgerEntry::Sending { .. } => {}
        LedgerEntry::Finished { finished, .. } => {
            job.finished = Some(finished.clone());
            // The recording is no longer needed.
            job.request.content = None;
            job.settled |= job.webhook.is_none() || job.faults.contains(&SandboxFault::Lost);
        }
        LedgerEntry::Delivery { delivery, .. } => {
            job.tries = delivery.number;
            job.settled |= delivery.settled;
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn read(path: &Path) -> anyhow::Result<Vec<LedgerEntry>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            // The line that was being written when the process died.
            Err(_) if number + 1 == text.lines().count() => {
                tracing::warn!(
                    line = number + 1,
                    "sandbox: ignoring the incomplete last line of the ledger"
                );
            }
            Err(error) => return Err(error).with_context(|| format!("line {}", number + 1)),
        }
    }
    Ok(entries)
}

/// Replaces the file with `entries` atomically and returns it open at its end.
fn rewrite(path: &Path, entries: &[LedgerEntry]) -> anyhow::Result<File> {
    let new = path.with_extension("new");
    let mut file = private().create(true).truncate(true).write(true).open(&new)?;
    for entry in entries {
        file.write_all(&line(entry)?)?;
    }
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    Ok(file)
}

fn line(entry: &LedgerEntry) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn job(id: &str, created: DateTime<Utc>) -> Job {
        Job {
            id: id.to_owned(),
            created,
            request_id: "r".to_owned(),
            webhook: Some("http://h/".to_owned()),
            request: AnalyzeRequest::default(),
            faults: Vec::new(),
            finished: None,
            tries: 0,
            settled: false,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn what_is_settled_or_past_is_not_taken_up_again() {
        let folder = std::env::temp_dir().join(format!("ledger-unit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("ledger.jsonl");
        let (monday, sunday) = (at("2026-01-05T00:00:00Z"), at("2026-01-11T00:00:00Z"));
        let ledger = Ledger::open(Some(&path), WEEK, monday).unwrap();
        for (id, created) in
            [("past", at("2026-01-01T00:00:00Z")), ("open", sunday), ("done", sunday)]
        {
            ledger.accept(job(id, created)).await.unwrap();
        }
        let response = Value::Null;
        let finished = Finished { completed: sunday, status: "Success".to_owned(), response };
        ledger.finish("done", finished).await.unwrap();
        let last = Try { at: sunday, number: 2, answer: Some(200), settled: true };
        ledger.delivered("done", last).await.unwrap();
        drop(ledger);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"kind\":\"fini").unwrap();

        let ledger = Ledger::open(Some(&path), WEEK, sunday).unwrap();
        assert_eq!(ledger.unsettled(), ["open"]);
        assert!(ledger.job("past", sunday).is_none());
        assert_eq!(ledger.job("done", sunday).unwrap().tries, 2);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("past"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
