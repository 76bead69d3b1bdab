//! The thread that starts the server, restarts it whenever it exits, and stops it.
//!
//! It is a dedicated thread because the server dies with the thread that started it, and tokio's threads come and go.
use std::{
    sync::mpsc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep},
};

use super::{
    StartError,
    server::{Plan, Server},
};

/// First and longest wait before a restart; the wait doubles each time and resets once the server has run for
/// [`STEADY`].
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
const STEADY: Duration = Duration::from_mins(1);

/// State of the server as reported by readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Up,
    /// The server exited unexpectedly and is being restarted, for as long as that takes.
    Restarting,
}

/// Handle to the thread; dropping it stops the server.
#[derive(Debug)]
pub struct Supervisor {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Returns when the server accepts connections.
    pub fn start(plan: Plan, health: watch::Sender<Health>) -> Result<Self, StartError> {
        let exe = plan.options.exe.clone();
        let (started, is_started) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::at(&exe))?;
        let thread = Builder::new()
            .name("embedded-postgres".into())
            .spawn(move || runtime.block_on(keep(plan, started, health, stopped)))
            .map_err(StartError::at(&exe))?;
        let supervisor = Self { stop: Some(stop), thread: Some(thread) };
        let ended = |_| StartError::at(exe)(std::io::Error::other("the supervisor's thread ended"));
        is_started.recv().map_err(ended)??;
        Ok(supervisor)
    }
}

impl Drop for Supervisor {
    /// Blocks until the server has stopped, usually a few milliseconds.
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that supervises PostgreSQL panicked");
        }
    }
}

async fn keep(
    plan: Plan,
    started: mpsc::SyncSender<Result<(), StartError>>,
    health: watch::Sender<Health>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut server = match plan.launch().await {
        Ok(server) => server,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    if started.send(Ok(())).is_err() {
        return server.shut_down().await;
    }
    let mut wait = BACKOFF.0;
    loop {
        let since = Instant::now();
        let Some(how) = until_ended(&mut server, &mut stopped).await else { return };
        health.send_replace(Health::Restarting);
        tracing::error!(%how, log = %plan.log.display(), "PostgreSQL exited; restarting it");
        if since.elapsed() >= STEADY {
            wait = BACKOFF.0;
        }
        let Some(next) = until_started(&plan, &mut wait, &mut stopped).await else { return };
        server = next;
        health.send_replace(Health::Up);
        tracing::info!("PostgreSQL is up again");
    }
}

/// Restarts the server; `None` when it should stop instead.
async fn until_started(
    plan: &Plan,
    wait: &mut Duration,
    stopped: &mut oneshot::Receiver<()>,
) -> Option<Server> {
    loop {
        tokio::select! {
            () = sleep(*wait) => {}
            _ = &mut *stopped => return None,
        }
        *wait = (*wait * 2).min(BACKOFF.1);
        match plan.launch().await {
            Ok(server) => return Some(server),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, next_try_in = ?wait, "cannot start PostgreSQL");
            }
        }
    }
}

/// How the server exited on its own; `None` when it was stopped.
async fn until_ended(server: &mut Server, stopped: &mut oneshot::Receiver<()>) -> Option<String> {
    tokio::select! {
        how = server.ended() => Some(how),
        _ = stopped => {
            server.shut_down().await;
            None
        }
    }
}
