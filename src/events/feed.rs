//! How handlers wait for the end of a job, or subscribe to events.
use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    EventScope, Listener, Listening, Snapshot,
    hub::{Hub, SequencedEvent, StreamMessage},
};
use crate::{
    callers::CallerId,
    jobs::{HotResults, Job, JobId},
};

/// Events queued for a slow client before it is cut off.
const QUEUE: usize = 1024;
/// Longest wait for the first look.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Clones share one connection.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Hub>);

/// A stream is not possible: the feed has no connection to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event feed has no database connection")]
pub struct NoConnection;

impl Feed {
    /// A feed, and the part that fills it until `stop` is canceled, and keeps `hot` current.
    pub fn new(listening: Listening, hot: HotResults, stop: CancellationToken) -> (Self, Listener) {
        let hub = Arc::new(Hub::new(stop));
        (Self(hub.clone()), Listener::new(listening, hot, hub))
    }

    /// Waits for the end of a job of any caller. If the job is not final when read after this call, its end will be
    /// noticed.
    pub fn wait(&self, job_id: JobId) -> JobWait {
        let (answer, answered) = oneshot::channel();
        let number = self.0.add_wait(job_id, answer);
        JobWait { hub: self.0.clone(), job_id, number, answered }
    }

    /// Subscribes to every event from now on.
    pub async fn subscribe(&self, whose: EventScope) -> Result<Subscription, NoConnection> {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        let EventScope { caller_id, job_id } = whose;
        let number = self.0.add_stream(caller_id, job_id, sender);
        let slot = StreamSlot { hub: self.0.clone(), caller_id, number };
        let first = tokio::select! {
            first = timeout(TIMEOUT, queue.recv()) => first.ok().flatten(),
            () = self.0.stop.cancelled() => None,
        };
        match first {
            Some(StreamMessage::From(from)) => Ok(Subscription { from, queue, slot }),
            _ => Err(NoConnection),
        }
    }

    /// Number of waits and streams.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Canceled when waits and streams must end.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }
}

/// A wait for the end of a job.
#[derive(Debug)]
pub struct JobWait {
    hub: Arc<Hub>,
    job_id: JobId,
    number: u64,
    answered: oneshot::Receiver<Job>,
}

impl JobWait {
    /// The job in its final state; `None` when that takes longer than `limit` or the process shuts down.
    pub async fn finished(mut self, limit: Duration) -> Option<Job> {
        let stop = self.hub.stop.clone();
        tokio::select! {
            answered = timeout(limit, &mut self.answered) => answered.ok()?.ok(),
            () = stop.cancelled() => None,
        }
    }
}

impl Drop for JobWait {
    fn drop(&mut self) {
        self.hub.remove_wait(self.job_id, self.number);
    }
}

/// A subscription to events.
#[derive(Debug)]
pub struct Subscription {
    /// The snapshot after which [`Subscription::next`] returns every event.
    pub from: Snapshot,
    queue: mpsc::Receiver<StreamMessage>,
    slot: StreamSlot,
}

impl Subscription {
    /// The next event; `None` when the client was too slow and has received everything queued.
    pub async fn next(&mut self) -> Option<Arc<SequencedEvent>> {
        loop {
            if let StreamMessage::Event(event) = self.queue.recv().await? {
                return Some(event);
            }
        }
    }

    /// The snapshot up to which every event has been returned; `None` while events are queued.
    pub fn up_to_date(&self) -> Option<Snapshot> {
        self.slot.hub.seen_by(&self.queue)
    }
}

#[derive(Debug)]
struct StreamSlot {
    hub: Arc<Hub>,
    caller_id: CallerId,
    number: u64,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.hub.remove_stream(self.caller_id, self.number);
    }
}
