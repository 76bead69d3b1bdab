//! Sends due notifications: claims them with a lease, sends each to its endpoint, and records what came back.
use std::{collections::HashMap, sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field::Empty};
use uuid::Uuid;

use super::{record::Recorder, verdict::Judgment};
use crate::{
    config::NotifySettings,
    db,
    egress::{Outcome, Sender, Sent},
    endpoints::{self, EndpointTarget, PauseRules},
    jobs::Announcer,
    metrics::Task,
    notifications::{self, ClaimLimits, Claimed, Finished, Subject},
    seal::Seal,
    supervise::TaskResult,
    telemetry,
};

/// Minimum time between two claims, so that messages close together are claimed together.
const LEAST_WAIT: Duration = Duration::from_millis(5);
/// The same while there is nothing to claim: jobs that nobody is told about should cost little.
const IDLE_WAIT: Duration = Duration::from_millis(20);
/// Pause when another replica is claiming.
const TURN: Duration = Duration::from_millis(10);
/// Ended attempts that wait to be recorded.
const ENDED: usize = 1024;

/// The deliverer's dependencies; cheap to clone into each delivery.
#[derive(Debug, Clone)]
pub struct Deliverer {
    pub db: PgPool,
    pub seal: Seal,
    pub sender: Sender,
    pub settings: Arc<NotifySettings>,
    pub announcer: Announcer,
}

/// A round of claims.
enum Claims {
    Some(Vec<Claimed>),
    /// Another replica is claiming.
    Later,
}

/// Claimed messages per message that may be sent at a time. While some are sent the others wait for their turn, so that
/// nothing waits for a claim; their number is what makes a claim worth its cost. `notify.lease` covers as many timeouts
/// and one more.
const CLAIMED: usize = 3;

/// The messages of this process that are claimed and not finished.
struct Flight {
    tasks: JoinSet<()>,
    /// One permit per message that is being sent.
    turns: Arc<Semaphore>,
    /// One clone per message to an endpoint that failed last, or to the URL of a job.
    doubtful: Arc<()>,
    concurrency: usize,
}

impl Flight {
    fn new(concurrency: usize) -> Self {
        let turns = Arc::new(Semaphore::new(concurrency));
        Self { tasks: JoinSet::new(), turns, doubtful: Arc::default(), concurrency }
    }

    /// Waits until no more are left than are sent at a time; false when `stop` is canceled.
    async fn has_room(&mut self, stop: &CancellationToken) -> bool {
        while let Some(joined) = self.tasks.try_join_next() {
            log_panic(joined);
        }
        while self.is_full() && !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                Some(joined) = self.tasks.join_next() => log_panic(joined),
            }
        }
        !stop.is_cancelled()
    }

    /// How many more may be claimed.
    fn room(&self) -> usize {
        CLAIMED * self.concurrency - self.tasks.len()
    }

    fn is_full(&self) -> bool {
        self.tasks.len() > self.concurrency
    }

    /// Waits for all of them.
    async fn land(&mut self) {
        while let Some(joined) = self.tasks.join_next().await {
            log_panic(joined);
        }
    }

    fn doubtful(&self) -> usize {
        Arc::strong_count(&self.doubtful) - 1
    }
}

impl Deliverer {
    /// Sends notifications until `stop` is canceled, then finishes those in progress.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        self.announcer.metrics().starts(Task::Notify);
        let (done, ended) = mpsc::channel(ENDED);
        let recorder = tokio::spawn(self.recorder().run(ended));
        let mut flight = Flight::new(self.settings.concurrency);
        let (mut swept, mut was_cut_short) = (None, false);
        while flight.has_room(&stop).await {
            if swept.is_none_or(|at: Instant| at.elapsed() >= self.settings.poll_interval) {
                self.sweep().await;
                swept = Some(Instant::now());
            }
            let (asked, room) = (Instant::now(), flight.room());
            let claims = self.claim(room, flight.doubtful(), was_cut_short).await;
            let (wait, pause) = match claims {
                Claims::Later => (TURN, IDLE_WAIT),
                Claims::Some(claimed) => {
                    was_cut_short = claimed.len() == room;
                    let pause = if claimed.is_empty() { IDLE_WAIT } else { LEAST_WAIT };
                    self.start(claimed, &mut flight, &done).await;
                    (self.settings.poll_interval, pause)
                }
            };
            if !flight.is_full() {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.announcer.written() => {}
                    () = sleep(jittered(wait)) => {}
                }
                sleep_until(asked + pause).await;
            }
        }
        flight.land().await;
        drop(done);
        recorder.await?;
        Ok(())
    }

    /// Sweeps, then sends everything that is due; returns the number of messages. For tests.
    pub async fn drain(&self) -> usize {
        self.sweep().await;
        let recorder = self.recorder();
        let mut sent = 0;
        loop {
            let mut flight = Flight::new(self.settings.concurrency);
            let claimed = match self.claim(flight.room(), 0, false).await {
                Claims::Later => {
                    sleep(TURN).await;
                    continue;
                }
                Claims::Some(claimed) => claimed,
            };
            if claimed.is_empty() {
                return sent;
            }
            sent += claimed.len();
            let (done, mut ended) = mpsc::channel(claimed.len());
            self.start(claimed, &mut flight, &done).await;
            drop(done);
            flight.land().await;
            let mut batch = Vec::new();
            ended.recv_many(&mut batch, usize::MAX >> 1).await;
            recorder.record(&batch).await;
        }
    }

    fn recorder(&self) -> Recorder {
        let (db, announcer) = (self.db.clone(), self.announcer.clone());
        Recorder { db, rules: self.rules(), lease: self.settings.lease, announcer }
    }

    fn rules(&self) -> PauseRules {
        let NotifySettings {
            pause_after,
            pause_failures,
            pause_failures_over,
            probe_interval,
            slow_down_max,
            ..
        } = *self.settings;
        PauseRules {
            after: pause_after,
            failures: pause_failures,
            failures_over: pause_failures_over,
            first_wait: Duration::from_secs(1),
            longest_wait: slow_down_max,
            probe_after: probe_interval,
        }
    }

    /// Claims up to `room` messages. `there_are_more`: without looking first.
    async fn claim(&self, room: usize, doubtful: usize, there_are_more: bool) -> Claims {
        match self.try_claim(room, doubtful, there_are_more).await {
            Ok(claims) => {
                self.announcer.metrics().succeeded(Task::Notify);
                claims
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot claim notifications");
                Claims::Some(Vec::new())
            }
        }
    }

    async fn try_claim(
        &self,
        room: usize,
        doubtful: usize,
        there_are_more: bool,
    ) -> sqlx::Result<Claims> {
        if !there_are_more && !notifications::has_due(&self.db).await? {
            return Ok(Claims::Some(Vec::new()));
        }
        let limits = ClaimLimits {
            total: room,
            // Endpoints that hang must not take every request of this process.
            doubtful: (self.settings.concurrency / 2).saturating_sub(doubtful),
            per_lane: self.settings.concurrency_per_endpoint,
        };
        let mut tx = db::begin(&self.db).await?;
        if !notifications::reserve(&mut tx).await? {
            return Ok(Claims::Later);
        }
        let claimed = notifications::claim(&mut tx, limits, self.settings.lease).await?;
        tx.commit().await?;
        Ok(Claims::Some(claimed))
    }

    async fn sweep(&self) {
        loop {
            match self.try_sweep().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot sweep notifications");
                    return;
                }
            }
        }
    }

    /// Returns whether there may be more to sweep.
    async fn try_sweep(&self) -> sqlx::Result<bool> {
        let mut tx = db::begin(&self.db).await?;
        if !notifications::reserve(&mut tx).await? {
            return Ok(false);
        }
        let swept = notifications::sweep(&mut tx, self.settings.probe_interval).await?;
        tx.commit().await?;
        if swept.lost > 0 {
            tracing::warn!(
                notifications = swept.lost,
                "processes ended while sending; sending again"
            );
        }
        Ok(swept.is_cut_short())
    }

    /// Starts sending the claimed messages.
    async fn start(
        &self,
        claimed: Vec<Claimed>,
        flight: &mut Flight,
        done: &mpsc::Sender<Finished>,
    ) {
        if claimed.is_empty() {
            return;
        }
        let mut ids: Vec<Uuid> = claimed.iter().map(|it| it.endpoint_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let targets = match endpoints::targets(&self.db, &self.seal, &ids).await {
            Ok(targets) => targets,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot read endpoints; sent again after their leases");
                return;
            }
        };
        let targets: HashMap<Uuid, Arc<EndpointTarget>> = targets
            .into_iter()
            .filter_map(|(id, target)| match target {
                Ok(target) => Some((id, Arc::new(target))),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(endpoint_id = %id, error, "cannot open the secrets of an endpoint");
                    None
                }
            })
            .collect();
        for claimed in claimed {
            let target = targets.get(&claimed.endpoint_id).cloned();
            let (this, done, turns) = (self.clone(), done.clone(), flight.turns.clone());
            let doubtful = claimed.is_doubtful.then(|| flight.doubtful.clone());
            flight.tasks.spawn(async move {
                let turn = turns.acquire_owned().await;
                let finished = this.deliver(claimed, target).await;
                drop(turn);
                // Fails only when nothing is recorded any more; the lease then expires.
                let _ = done.send(finished).await;
                drop(doubtful);
            });
        }
    }

    async fn deliver(&self, claimed: Claimed, target: Option<Arc<EndpointTarget>>) -> Finished {
        let span = tracing::info_span!(
            "notify", trace_id = Empty, job_id = Empty, endpoint_id = %claimed.endpoint_id,
            event = claimed.event.kind, attempt = claimed.attempt, outcome = Empty, status = Empty,
        );
        if let Subject::Job { id, .. } = claimed.event.subject {
            span.record("job_id", tracing::field::display(id));
        }
        telemetry::continue_stored(&span, claimed.trace_context.as_deref());
        async {
            let sent = match self.compose(&claimed, target.as_deref()).await {
                Some((target, message)) => Some(self.sender.send(&target, &message).await),
                None => None,
            };
            self.judge(&claimed, sent.as_ref())
        }
        .instrument(span)
        .await
    }

    fn judge(&self, claimed: &Claimed, sent: Option<&Sent>) -> Finished {
        let judgment = sent.map_or_else(Judgment::unsendable, |sent| {
            Judgment::of(&sent.outcome, claimed.retries, &self.settings)
        });
        let answer = sent.and_then(|sent| match &sent.outcome {
            Outcome::Answered(answer) => Some(answer),
            Outcome::Failed(_) => None,
        });
        let status = answer.map(|answer| answer.status.as_u16());
        let outcome = match sent {
            Some(Sent { outcome: Outcome::Failed(error), .. }) => error.kind(),
            Some(_) => "answered",
            None => "unsendable",
        };
        let span = Span::current();
        span.record("outcome", judgment.label);
        if let Some(status) = status {
            span.record("status", status);
            telemetry::tag(&span, telemetry::STATUS, i64::from(status));
        } else {
            telemetry::tag(&span, telemetry::ERROR, outcome);
        }
        self.announcer.metrics().notify_attempt(judgment.label);
        tracing::info!("notification sent");
        Finished {
            id: claimed.id,
            lease_id: claimed.lease_id,
            number: claimed.attempt,
            outcome,
            status,
            latency: sent.map(|sent| sent.latency).unwrap_or_default(),
            answer: answer.map(|answer| answer.start.clone()),
            // Says nothing about the endpoint: the URL is the job's, or there was no request.
            health: (!claimed.has_own_url && sent.is_some())
                .then(|| judgment.health(claimed.endpoint_id)),
            verdict: judgment.verdict,
        }
    }
}

fn log_panic(joined: Result<(), tokio::task::JoinError>) {
    if let Err(error) = joined {
        tracing::error!(%error, "a delivery panicked; its lease will expire");
    }
}

/// `base` ± 10 %, so that processes do not poll in step.
fn jittered(base: Duration) -> Duration {
    base.mul_f64(rand::random_range(0.9..1.1))
}
