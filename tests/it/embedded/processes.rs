//! A cluster owned by another process, which is killed.
use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aftercall::embedded::{READY, connect_options};
use sqlx::{Connection as _, PgConnection};

use super::{connect, is_running, server_pid, start};
use crate::support::{eventually, scratch::Scratch, ward::Ward};

/// A command that runs a cluster in `folder/cluster`.
fn owner(folder: &Path) -> Command {
    owner_by(env!("CARGO_BIN_EXE_aftercall").as_ref(), folder)
}

/// [`owner`], with another copy of the binary under test.
pub fn owner_by(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg("pg-supervise").arg(folder).env("AFTERCALL_TEST_PG_IDLE", "600");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Waits for the cluster of `owner`; returns the folder of its socket.
pub async fn ready(owner: &mut Ward, folder: &Path) -> PathBuf {
    eventually("the cluster of another process", async || {
        assert_eq!(owner.try_wait().unwrap(), None, "it ended");
        Some(PathBuf::from(OsString::from_vec(fs::read(folder.join(READY)).ok()?)))
    })
    .await
}

#[tokio::test]
async fn the_server_ends_with_its_killed_owner() {
    let scratch = Scratch::new();
    let mut owner = Ward::spawn(&mut owner(scratch.path()));
    ready(&mut owner, scratch.path()).await;
    let root = scratch.path().join("cluster");
    let pid = server_pid(&root).unwrap();
    assert!(is_running(pid));
    owner.kill_hard();
    eventually("the end of the server", async || (!is_running(pid)).then_some(())).await;
    assert_eq!(server_pid(&root), None, "it was a clean shutdown");

    let cluster = start(&root).await;
    connect(&cluster).await.ping().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let root = scratch.path().join("cluster");
    let unfinished = || {
        let entries = fs::read_dir(&root).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.find(|name| name.contains(".init."))
    };
    let mut owner = Ward::spawn(&mut owner(scratch.path()));
    eventually("initdb at work", async || {
        let name = unfinished()?;
        root.join(name).join("global").exists().then_some(())
    })
    .await;
    owner.kill_hard();

    let cluster = start(&root).await;
    connect(&cluster).await.ping().await.unwrap();
    assert_eq!(unfinished(), None);
}

#[tokio::test]
async fn nothing_in_the_environment_changes_the_server() {
    let scratch = Scratch::new();
    let mut command = owner(scratch.path());
    command.envs([("PGHOST", "nowhere"), ("PGPORT", "9999"), ("PGUSER", "who"), ("PGDATA", "/x")]);
    command.envs([("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", "/x"), ("PGPASSWORD", "x")]);
    command.envs([("PGDATABASE", "x"), ("LANG", "xx_XX"), ("LC_ALL", "xx_XX.latin1")]);
    let mut owner = Ward::spawn(&mut command);
    let sockets = ready(&mut owner, scratch.path()).await;

    let mut db = PgConnection::connect_with(&connect_options(&sockets, "postgres")).await.unwrap();
    let encoding: String =
        sqlx::query_scalar("show server_encoding").fetch_one(&mut db).await.unwrap();
    assert_eq!(encoding, "UTF8");
    let pid = server_pid(&scratch.path().join("cluster")).unwrap();
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert!(!environment.contains("nowhere") && environment.contains("LC_ALL=C\0"));
    owner.kill_hard();
    eventually("the end of the server", async || (!is_running(pid)).then_some(())).await;
}

#[tokio::test]
async fn an_unused_shared_server_clears_up_and_exits() {
    let scratch = Scratch::new();
    let mut owner = Ward::spawn(owner(scratch.path()).env("AFTERCALL_TEST_PG_IDLE", "0"));
    let status =
        eventually("the end of the shared server", async || owner.try_wait().unwrap()).await;
    assert!(status.success());
    assert!(!scratch.path().join(READY).exists());
    assert_eq!(super::data(&scratch.path().join("cluster")), None);
}
