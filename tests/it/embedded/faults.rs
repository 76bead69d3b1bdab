//! Remains of an earlier run, and servers that die.
use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Command, Stdio},
};

use aftercall::embedded::Health;
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use sqlx::Connection as _;

use super::{connect, data, is_running, server_pid, start};
use crate::support::{eventually, scratch::Scratch, ward::Ward};

fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_killed_server_is_started_again_however_often() {
    let scratch = Scratch::new();
    let cluster = start(scratch.path()).await;
    for _ in 0..3 {
        let killed = server_pid(scratch.path()).unwrap();
        kill_hard(killed);
        eventually("another server", async || {
            let pid = server_pid(scratch.path()).filter(|pid| *pid != killed);
            pid.filter(|_| cluster.health() == Health::Up)
        })
        .await;
        connect(&cluster).await.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_started_again_is_tried_until_it_can() {
    let scratch = Scratch::new();
    let cluster = start(scratch.path()).await;
    let control = data(scratch.path()).unwrap().join("global/pg_control");
    let hidden = control.with_extension("hidden");
    fs::rename(&control, &hidden).unwrap();
    kill_hard(server_pid(scratch.path()).unwrap());
    let log = scratch.path().join("postgres.log");
    eventually("a start that fails", async || {
        let text = fs::read_to_string(&log).ok()?;
        text.contains("could not find the database system").then_some(())
    })
    .await;
    assert_eq!(cluster.health(), Health::Restarting);

    fs::rename(&hidden, &control).unwrap();
    eventually("a start that works", async || (cluster.health() == Health::Up).then_some(())).await;
    connect(&cluster).await.ping().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_another_process_is_no_obstacle() {
    let scratch = Scratch::new();
    start(scratch.path()).await.stop().await;
    let data = data(scratch.path()).unwrap();
    // Owned by the server's user, which is the only case in which Postgres itself refuses to start.
    let owner = fs::metadata(&data).unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("60");
    if geteuid().is_root() {
        sleep.uid(owner.uid()).gid(owner.gid());
    }
    let mut bystander = Ward::spawn(&mut sleep);
    let lock = format!("{}\n{}\n1\n5432\n\n\n\nready   \n", bystander.id(), data.display());
    fs::write(data.join("postmaster.pid"), &lock).unwrap();
    fs::write(scratch.path().join("s/.s.PGSQL.5432.lock"), &lock).unwrap();

    let cluster = start(scratch.path()).await;
    connect(&cluster).await.ping().await.unwrap();
    assert_eq!(bystander.try_wait().unwrap(), None, "the other process must not be touched");
}

#[tokio::test]
async fn a_server_without_a_master_is_stopped_and_replaced() {
    let scratch = Scratch::new();
    let cluster = start(scratch.path()).await;
    let program = fs::read_link(format!("/proc/{}/exe", server_pid(scratch.path()).unwrap()));
    cluster.stop().await;
    let data = data(scratch.path()).unwrap();
    let owner = fs::metadata(&data).unwrap();
    let mut postgres = Command::new(program.unwrap());
    postgres.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-c"]);
    postgres.arg(format!("unix_socket_directories={}/s", scratch.path().display()));
    postgres.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    if geteuid().is_root() {
        postgres.uid(owner.uid()).gid(owner.gid());
    }
    let mut orphan = Ward::spawn(&mut postgres);
    eventually("the orphan is up", async || {
        let state = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        (state.lines().nth(7)?.trim() == "ready").then_some(())
    })
    .await;

    let cluster = start(scratch.path()).await;
    assert!(!cluster.is_guest());
    connect(&cluster).await.ping().await.unwrap();
    let status = orphan.wait().unwrap();
    assert!(status.success(), "it was to shut down cleanly: {status}");
    assert!(!is_running(i32::try_from(orphan.id()).unwrap()));
}
