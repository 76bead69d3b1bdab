//! The single connection that feeds all waits and streams of this process.
use std::{convert::Infallible, sync::Arc, time::Duration};

use sqlx::{
    Acquire as _, Connection as _, PgConnection,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    CHANNEL, Event, Listening, Snapshot,
    hub::{Hub, Look},
    moved, read,
};
use crate::{
    db,
    jobs::{self, EventKind, HotResults, JobId, RESULTS_CHANNEL, State},
    supervise::TaskResult,
};

/// Minimum time between looks, so that changes close together are read together.
const LEAST_WAIT: Duration = Duration::from_millis(20);
/// While anyone waits, a look happens this often even without a notification; while results are remembered, the server is
/// asked this often whether there was one. Connections are opened no more often either.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest time for one look before the connection is considered dead.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of events per look. More than this means that the process was cut off for a long time.
const MOST: u16 = 10_000;

/// Keeps the connection and publishes what it reads; runs as a part of the process.
#[derive(Debug)]
pub struct Listener {
    listening: Listening,
    /// Kept current.
    hot: HotResults,
    hub: Arc<Hub>,
}

impl Listener {
    pub(super) fn new(listening: Listening, hot: HotResults, hub: Arc<Hub>) -> Self {
        Self { listening, hot, hub }
    }

    /// Runs until the feed is stopped. A lost connection is reopened, and the first look finds what was committed
    /// meanwhile.
    pub async fn run(self) -> TaskResult {
        let stop = self.hub.stop.clone();
        while !stop.is_cancelled() {
            let again = Instant::now() + LOOK_EVERY;
            let lost = stop.run_until_cancelled(self.listen()).await;
            self.hot.lost();
            let Some(Err(error)) = lost else { break };
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the event feed lost its database connection; reconnecting"
            );
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep_until(again) => {}
            }
        }
        Ok(())
    }

    async fn listen(&self) -> sqlx::Result<Infallible> {
        // A new pool each time, so that a dead connection is not reused.
        let options = self.listening.db.connect_options();
        let one = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.as_ref().clone());
        let mut listener = PgListener::connect_with(&one).await?;
        // It does not reconnect by itself, since what it then missed must be known first.
        listener.eager_reconnect(false);
        let is_notified = self.listening.is_possible;
        if is_notified {
            listener.listen_all([CHANNEL, RESULTS_CHANNEL]).await?;
        }
        loop {
            self.look_and_hear(&mut listener).await?;
            let earliest = Instant::now() + LEAST_WAIT;
            let is_regular = self.hub.is_watching() || is_notified && self.hot.is_on();
            tokio::select! {
                notified = listener.try_recv(), if is_notified => self.hear(notified?)?,
                () = self.hub.wake.notified() => {}
                () = db::replaced(&self.listening.db, &options) => return Err(moved()),
                () = sleep(LOOK_EVERY), if is_regular => {}
            }
            loop {
                tokio::select! {
                    () = sleep_until(earliest) => break,
                    notified = listener.try_recv(), if is_notified => self.hear(notified?)?,
                }
            }
        }
    }

    /// The answers of the server also bring every notification of what was committed before they were asked for.
    async fn look_and_hear(&self, listener: &mut PgListener) -> sqlx::Result<()> {
        let connection = listener.acquire().await?;
        let asked = Instant::now();
        let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        timeout(TIMEOUT, self.look(connection)).await.map_err(late)??;
        while let Some(notification) = listener.next_buffered() {
            self.hear(Some(notification))?;
        }
        if self.listening.is_possible {
            self.hot.is_current_at(asked);
        }
        Ok(())
    }

    /// # Errors
    /// There is no notification: the connection was lost.
    fn hear(&self, notified: Option<PgNotification>) -> sqlx::Result<()> {
        let cut = || sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into());
        let notification = notified.ok_or_else(cut)?;
        if notification.channel() == RESULTS_CHANNEL {
            self.hot.forget_notified(notification.payload());
        }
        Ok(())
    }

    /// Reads what became visible since the last look; nothing while no one waits, but if results are remembered, the
    /// server is asked whether it is there.
    async fn look(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        let since = match self.hub.begin_look() {
            Look::Needless if self.hot.is_on() => return db.ping().await,
            Look::Needless => return Ok(()),
            Look::First => return self.begin(db).await,
            Look::Since(seen) => seen,
        };
        let (seen, events) = read::since(&mut *db, &since, i64::from(MOST) + 1).await?;
        if events.len() > usize::from(MOST) {
            tracing::warn!(
                "too many events at once; ending event streams so that clients reconnect"
            );
            self.hub.end_streams();
            return self.begin(db).await;
        }
        // Whoever is told of the event may ask at once.
        let has_other_result =
            |event: &&Event| EventKind::known(&event.kind).is_some_and(EventKind::changes_result);
        self.hot.forget(events.iter().filter(has_other_result).map(|event| event.job_id));
        let waited_for = self.hub.waited_for();
        let is_final = |event: &&Event| event.state().is_some_and(State::is_final);
        let ended = events.iter().filter(is_final).map(|event| event.job_id);
        let ended: Vec<JobId> = ended.filter(|id| waited_for.contains(id)).collect();
        self.publish(db, &seen, events, &ended).await
    }

    /// The first look: jobs may have ended before it.
    async fn begin(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        let seen = read::snapshot(&mut *db).await?;
        let waited_for: Vec<JobId> = self.hub.waited_for().into_iter().collect();
        self.publish(db, &seen, Vec::new(), &waited_for).await
    }

    async fn publish(
        &self,
        db: &mut PgConnection,
        seen: &Snapshot,
        events: Vec<Event>,
        maybe_ended: &[JobId],
    ) -> sqlx::Result<()> {
        let finished = jobs::finished(db, maybe_ended).await?;
        self.hub.publish(seen, events, finished);
        Ok(())
    }
}
