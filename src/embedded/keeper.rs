//! The thread that starts the server, watches it, starts it again once, and stops it.
//!
//! A thread of its own, because the server ends with the thread that started it, and those of
//! tokio come and go.
use std::{
    sync::mpsc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

use super::{
    StartError,
    server::{Plan, Server},
};

const BACK_OFF: Duration = Duration::from_millis(500);

/// How the server is, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Up,
    /// It ended by itself and is being started again.
    Restarting,
    /// It ended for good, for the reason given.
    Gone(String),
}

/// Handle of the thread; the server stops when it is dropped.
#[derive(Debug)]
pub struct Keeper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
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
        let keeper = Self { stop: Some(stop), thread: Some(thread) };
        let ended = |_| StartError::at(exe)(std::io::Error::other("the keeper's thread ended"));
        is_started.recv().map_err(ended)??;
        Ok(keeper)
    }
}

impl Drop for Keeper {
    /// Blocks until the server has ended, a few milliseconds as a rule.
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that kept the PostgreSQL server panicked");
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
    let Some(how) = until_ended(&mut server, &mut stopped).await else { return };
    tracing::error!(%how, log = %plan.log.display(), "the PostgreSQL server ended, starting it again");
    health.send_replace(Health::Restarting);
    tokio::select! {
        () = sleep(BACK_OFF) => {}
        _ = &mut stopped => return,
    }
    let reason = match plan.launch().await {
        Ok(mut server) => {
            health.send_replace(Health::Up);
            let Some(how) = until_ended(&mut server, &mut stopped).await else { return };
            format!("the PostgreSQL server ended a second time ({how}), see {}", plan.log.display())
        }
        Err(error) => error.to_string(),
    };
    tracing::error!(%reason, "the PostgreSQL server is gone");
    health.send_replace(Health::Gone(reason));
}

/// How the server ended by itself; `None` when it was stopped.
async fn until_ended(server: &mut Server, stopped: &mut oneshot::Receiver<()>) -> Option<String> {
    tokio::select! {
        how = server.ended() => Some(how),
        _ = stopped => {
            server.shut_down().await;
            None
        }
    }
}
