//! The in-memory registry of waits and streams.
use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Event, Snapshot};
use crate::{
    callers::CallerId,
    jobs::{Job, JobId},
};

/// A message to a stream.
#[derive(Debug)]
pub enum StreamMessage {
    /// From this snapshot on, the stream gets every event.
    From(Snapshot),
    Event(Arc<SequencedEvent>),
}

/// An event with the snapshots of the two looks between which it became visible.
#[derive(Debug)]
pub struct SequencedEvent {
    pub event: Event,
    pub since: Snapshot,
    pub until: Snapshot,
}

/// What to look for.
#[derive(Debug)]
pub enum Look {
    /// No one waits.
    Needless,
    First,
    /// Everything since the snapshot of the last look.
    Since(Snapshot),
}

/// By what they wait for (a job, or a caller's jobs), then by number.
type Registry<K, T> = HashMap<K, HashMap<u64, T>>;

#[derive(Debug)]
pub struct Hub {
    registered: Mutex<Registered>,
    /// Notified on registration, so that the next look begins at once.
    pub wake: Notify,
    pub stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Registered {
    /// The snapshot of the last look; `None` while no one waits.
    seen: Option<Snapshot>,
    last_number: u64,
    /// By job.
    waits: Registry<JobId, oneshot::Sender<Job>>,
    /// By caller.
    streams: Registry<CallerId, RegisteredStream>,
}

#[derive(Debug)]
struct RegisteredStream {
    job_id: Option<JobId>,
    queue: mpsc::Sender<StreamMessage>,
    stage: Stage,
}

/// A stream begins with the snapshot of a look that started after it was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    BeforeThisLook,
    Begun,
}

impl Hub {
    pub fn new(stop: CancellationToken) -> Self {
        Self { registered: Mutex::default(), wake: Notify::new(), stop }
    }

    pub fn add_wait(&self, job_id: JobId, answer: oneshot::Sender<Job>) -> u64 {
        let mut registered = self.registered();
        let number = registered.number();
        registered.waits.entry(job_id).or_default().insert(number, answer);
        drop(registered);
        self.wake.notify_one();
        number
    }

    pub fn remove_wait(&self, job_id: JobId, number: u64) {
        remove(&mut self.registered().waits, &job_id, number);
    }

    pub fn add_stream(
        &self,
        caller_id: CallerId,
        job_id: Option<JobId>,
        queue: mpsc::Sender<StreamMessage>,
    ) -> u64 {
        let mut registered = self.registered();
        let number = registered.number();
        let stream = RegisteredStream { job_id, queue, stage: Stage::New };
        registered.streams.entry(caller_id).or_default().insert(number, stream);
        drop(registered);
        self.wake.notify_one();
        number
    }

    pub fn remove_stream(&self, caller_id: CallerId, number: u64) {
        remove(&mut self.registered().streams, &caller_id, number);
    }

    /// The snapshot of the last look, if `queue` is empty.
    pub fn seen_by(&self, queue: &mpsc::Receiver<StreamMessage>) -> Option<Snapshot> {
        let registered = self.registered();
        registered.seen.clone().filter(|_| queue.is_empty())
    }

    /// Begins a look, if anyone waits.
    pub fn begin_look(&self) -> Look {
        let mut registered = self.registered();
        if registered.waits.is_empty() && registered.streams.is_empty() {
            registered.seen = None;
            return Look::Needless;
        }
        let streams = registered.streams.values_mut().flat_map(HashMap::values_mut);
        for stream in streams.filter(|stream| stream.stage == Stage::New) {
            stream.stage = Stage::BeforeThisLook;
        }
        registered.seen.clone().map_or(Look::First, Look::Since)
    }

    /// Whether anyone waited at the last look.
    pub fn is_watching(&self) -> bool {
        self.registered().seen.is_some()
    }

    pub fn waiting(&self) -> usize {
        let registered = self.registered();
        count(&registered.waits) + count(&registered.streams)
    }

    /// Jobs with waits.
    pub fn waited_for(&self) -> HashSet<JobId> {
        self.registered().waits.keys().copied().collect()
    }

    /// Publishes the findings of a look: its snapshot, the events in order, and jobs that are final.
    pub fn publish(&self, seen: &Snapshot, events: Vec<Event>, finished: Vec<Job>) {
        let mut registered = self.registered();
        let since = registered.seen.replace(seen.clone()).unwrap_or_else(|| seen.clone());
        for job in finished {
            for answer in
                registered.waits.remove(&job.id).into_iter().flat_map(HashMap::into_values)
            {
                let _ = answer.send(job.clone()); // the wait may have been dropped
            }
        }
        for event in events {
            let sequenced = SequencedEvent { event, since: since.clone(), until: seen.clone() };
            registered.send(&Arc::new(sequenced));
        }
        registered.begin_streams(seen);
    }

    /// Ends every stream that has begun; clients resume where they were.
    pub fn end_streams(&self) {
        for streams in self.registered().streams.values_mut() {
            streams.retain(|_, stream| stream.stage != Stage::Begun);
        }
    }

    fn registered(&self) -> MutexGuard<'_, Registered> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Streams whose queue is full are ended.
    fn send(&mut self, sequenced: &Arc<SequencedEvent>) {
        let Some(streams) = self.streams.get_mut(&sequenced.event.caller_id) else { return };
        streams.retain(|_, stream| {
            let is_wanted = stream.stage == Stage::Begun
                && stream.job_id.is_none_or(|job_id| job_id == sequenced.event.job_id);
            !is_wanted || stream.queue.try_send(StreamMessage::Event(sequenced.clone())).is_ok()
        });
    }

    fn begin_streams(&mut self, seen: &Snapshot) {
        let streams = self.streams.values_mut().flat_map(HashMap::values_mut);
        for stream in streams.filter(|stream| stream.stage == Stage::BeforeThisLook) {
            stream.stage = Stage::Begun;
            let _ = stream.queue.try_send(StreamMessage::From(seen.clone())); // its queue is empty
        }
    }
}

fn count<K, T>(registry: &Registry<K, T>) -> usize {
    registry.values().map(HashMap::len).sum()
}

fn remove<K: Eq + Hash, T>(registry: &mut Registry<K, T>, key: &K, number: u64) {
    if let Some(waiting) = registry.get_mut(key) {
        waiting.remove(&number);
        if waiting.is_empty() {
            registry.remove(key);
        }
    }
}
