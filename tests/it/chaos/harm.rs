//! Injects failures into the replicas and Postgres while they work.
use std::{fmt, ops::Range, path::Path, time::Duration};

use aftercall::embedded::Cluster;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use super::world::{LONG_WAIT, finished, options_of};
use crate::{
    embedded::{self, is_running, server_pid},
    process::{Home, Process},
    support::{eventually, eventually_at},
};

/// Pause between two failures of one replica, in milliseconds.
const PAUSE: Range<u64> = 500..5500;
/// The same while it starts.
const SHORT_PAUSE: Range<u64> = 0..300;
/// Fraction of failures in which the replica is asked to stop, and in which it is killed again
/// while starting.
const POLITE: f64 = 0.25;
const TWICE: f64 = 0.2;

/// Failures injected.
#[derive(Debug, Default)]
pub struct Harm {
    pub kills: u32,
    pub graceful: u32,
    pub crashes: u32,
}

impl Harm {
    pub fn with(self, other: &Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            graceful: self.graceful + other.graceful,
            crashes: self.crashes + other.crashes,
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, graceful, crashes } = self;
        write!(f, "{kills} kills, {graceful} graceful restarts, {crashes} crashes of Postgres")
    }
}

/// `aftercall serve` in its own home folder, running or about to.
#[derive(Debug)]
pub struct Replica {
    pub home: Home,
    process: Process,
}

impl Replica {
    pub async fn start(home: Home) -> Self {
        let process = start(&home).await;
        Self { home, process }
    }

    /// Ignores the exit status: Postgres may be down at the same time.
    pub async fn stop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        eventually("the end of a replica", async || self.process.has_ended().then_some(())).await;
    }
}

/// Restarts until ready, as an orchestrator would.
async fn start(home: &Home) -> Process {
    eventually_at(LONG_WAIT, "a replica that is ready", async || {
        let mut process = home.start(["serve"]);
        process.says("ready").await.is_some().then_some(process)
    })
    .await
}

/// Stops or kills a replica repeatedly until `done`; both replicas may be down at the same time.
pub async fn to_replica(replica: &mut Replica, seed: u64, done: &CancellationToken) -> Harm {
    let mut random = StdRng::seed_from_u64(seed);
    let mut harm = Harm::default();
    // Not a wait for anything: failures must occur at random times.
    let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
    while done.run_until_cancelled(pause(random.random_range(PAUSE))).await.is_some() {
        if random.random_bool(POLITE) {
            replica.stop().await;
            harm.graceful += 1;
        } else {
            replica.process.kill_hard();
            harm.kills += 1;
        }
        if random.random_bool(TWICE) {
            let mut stillborn = replica.home.start(["serve"]);
            pause(random.random_range(SHORT_PAUSE)).await;
            stillborn.kill_hard();
            harm.kills += 1;
        }
        replica.process = start(&replica.home).await;
    }
    harm
}

/// Crashes Postgres `times` times while `jobs` jobs progress, and lets it recover.
pub async fn to_postgres(mut cluster: Cluster, root: &Path, times: u32, jobs: u32) -> Cluster {
    for crash in 1..=times {
        let mark = i64::from(jobs * crash / (times + 1));
        let options = options_of(&cluster);
        let reached = async || finished(&options).await.filter(|count| *count >= mark).map(drop);
        eventually_at(LONG_WAIT, "the moment for a crash", reached).await;
        cluster = crashed(cluster, root).await;
    }
    cluster
}

/// Like `pg_ctl --mode=immediate restart`.
async fn crashed(cluster: Cluster, root: &Path) -> Cluster {
    let pid = server_pid(root).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
    eventually("the crash", async || (!is_running(pid)).then_some(())).await;
    // Its supervisor would otherwise restart it.
    cluster.stop().await;
    embedded::start(root).await
}
