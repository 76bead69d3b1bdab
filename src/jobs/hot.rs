//! Results in memory, for as long as they are known to be current: docs/decisions/044-results-in-memory.md.
//!
//! Here rather than in `insights`, since the commit of a [`Change`](super::Change) makes them forgotten.
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hashlink::LinkedHashMap;
use tokio::time::Instant;
use uuid::Uuid;

use super::JobId;
use crate::{
    callers::CallerId,
    metrics::{Metrics, RecallOutcome},
};

/// The `LISTEN`/`NOTIFY` channel of changed results: the ids of their jobs, separated by commas. Anything else stands for
/// all results.
pub const RESULTS_CHANNEL: &str = "aftercall_results";

/// How long after a question to the server, whose answer also brought every earlier notification, results are served.
/// The feed asks once a second.
const TRUST: Duration = Duration::from_secs(2);
/// After this time a result is read again, so that a change without a notification, such as one made by hand or by a
/// process of an earlier version, is seen soon.
const LONGEST: Duration = Duration::from_mins(1);
/// What an entry takes besides its document: the entity tag, the entry in the map, and what allocations add. Measured on
/// the safe side.
const OVERHEAD: usize = 512;
/// A document larger than this part of the memory is not kept, since it would push out too many others.
const LARGEST_PART: usize = 8;

/// A stored result, as it is served. Clones share it.
#[derive(Debug, Clone)]
pub struct HotResult {
    pub document: Bytes,
    /// Quoted.
    pub etag: Bytes,
}

/// The results that this process remembers. Clones share them; the default remembers nothing.
#[derive(Debug, Clone, Default)]
pub struct HotResults(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    /// In bytes.
    capacity: usize,
    memory: Mutex<Memory>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Memory {
    /// The one that was not asked for the longest is the first.
    entries: LinkedHashMap<JobId, Entry>,
    bytes: usize,
    /// Incremented whenever a result may have changed.
    changes: u64,
    /// `None` while nobody listens for changes.
    trusted_until: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    caller_id: CallerId,
    result: HotResult,
    /// Before it was read.
    asked: Instant,
}

/// The moment before a read. What was read is not kept if a result has changed since.
#[derive(Debug, Clone, Copy)]
pub struct ReadMark {
    asked: Instant,
    /// `None`: nobody was listening, so the result may have changed unnoticed.
    changes: Option<u64>,
}

impl HotResults {
    /// `capacity`: in bytes; with 0, nothing is remembered.
    pub fn new(capacity: usize, metrics: Metrics) -> Self {
        if capacity == 0 {
            return Self(None);
        }
        metrics.remembers(0);
        Self(Some(Arc::new(Shared { capacity, memory: Mutex::default(), metrics })))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The result of a job of this caller.
    ///
    /// # Errors
    /// It is not known, or not known to be current: it is to be read, and then kept with this mark.
    pub fn recall(&self, caller_id: CallerId, job_id: JobId) -> Result<HotResult, ReadMark> {
        let now = Instant::now();
        let Some(shared) = &self.0 else { return Err(ReadMark { asked: now, changes: None }) };
        let recalled = shared.memory().recall(caller_id, job_id, now);
        let outcome = if recalled.is_ok() { RecallOutcome::Hit } else { RecallOutcome::Miss };
        shared.metrics.recalled(outcome);
        recalled
    }

    /// Keeps what was read since `mark`, unless a result may have changed meanwhile.
    pub fn keep(&self, mark: ReadMark, caller_id: CallerId, job_id: JobId, result: &HotResult) {
        let Some(shared) = &self.0 else { return };
        if result.size() > shared.capacity / LARGEST_PART {
            return;
        }
        let mut memory = shared.memory();
        let is_listening = memory.trusted_until.is_some();
        if is_listening && mark.changes == Some(memory.changes) {
            let entry = Entry { caller_id, result: result.clone(), asked: mark.asked };
            memory.insert(job_id, entry, shared.capacity);
            shared.metrics.remembers(memory.bytes);
        }
    }

    /// Forgets the results of these jobs.
    pub fn forget(&self, jobs: impl IntoIterator<Item = JobId>) {
        let Some(shared) = &self.0 else { return };
        let mut jobs = jobs.into_iter().peekable();
        if jobs.peek().is_none() {
            return;
        }
        let mut memory = shared.memory();
        memory.changes += 1;
        jobs.for_each(|job_id| memory.remove(job_id));
        shared.metrics.remembers(memory.bytes);
    }

    /// Forgets the results that a notification is about.
    pub fn forget_notified(&self, payload: &str) {
        let ids = payload.split(',').map(|id| Uuid::try_parse(id).map(JobId::from));
        match ids.collect::<Result<Vec<_>, _>>() {
            Ok(ids) => self.forget(ids),
            Err(_) => self.forget_all(|_| {}),
        }
    }

    /// The server answered a question asked at this time, and until then nothing was missed since the last
    /// [`lost`](Self::lost).
    pub fn is_current_at(&self, asked: Instant) {
        let Some(shared) = &self.0 else { return };
        shared.memory().trusted_until = Some(asked + TRUST);
    }

    /// Nobody listens for changes any more.
    pub fn lost(&self) {
        self.forget_all(|memory| memory.trusted_until = None);
    }

    fn forget_all(&self, and: impl FnOnce(&mut Memory)) {
        let Some(shared) = &self.0 else { return };
        let mut memory = shared.memory();
        memory.changes += 1;
        memory.entries = LinkedHashMap::new();
        memory.bytes = 0;
        and(&mut memory);
        shared.metrics.remembers(0);
    }
}

impl HotResult {
    fn size(&self) -> usize {
        self.document.len() + OVERHEAD
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn recall(
        &mut self,
        caller_id: CallerId,
        job_id: JobId,
        now: Instant,
    ) -> Result<HotResult, ReadMark> {
        let mark = ReadMark { asked: now, changes: self.trusted_until.map(|_| self.changes) };
        if self.trusted_until.is_none_or(|until| until <= now) {
            return Err(mark);
        }
        let entry = self.entries.to_back(&job_id).ok_or(mark)?;
        if now.duration_since(entry.asked) >= LONGEST {
            self.remove(job_id);
            return Err(mark);
        }
        if entry.caller_id == caller_id { Ok(entry.result.clone()) } else { Err(mark) }
    }

    fn insert(&mut self, job_id: JobId, entry: Entry, capacity: usize) {
        self.remove(job_id);
        self.bytes += entry.result.size();
        self.entries.insert(job_id, entry);
        while self.bytes > capacity {
            let Some((_, oldest)) = self.entries.pop_front() else { return };
            self.bytes -= oldest.result.size();
        }
    }

    fn remove(&mut self, job_id: JobId) {
        if let Some(entry) = self.entries.remove(&job_id) {
            self.bytes -= entry.result.size();
        }
    }
}
