//! Users, folders and other servers on the machine.
use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
};

use aftercall::{
    config::EmbeddedEnvironment,
    embedded::{Cluster, Options, StartError},
};
use nix::unistd::{User, chown, geteuid};
use sqlx::Connection as _;

use super::{connect, is_running, options, processes, server_pid, start};
use crate::support::{
    eventually,
    scratch::{Scratch, binary_for_all},
    ward::Ward,
};

async fn refusal(options: Options) -> StartError {
    Cluster::start(options).await.unwrap_err()
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_works() {
    let scratch = Scratch::new();
    let root = scratch.path().join("long".repeat(30));
    let cluster = start(&root).await;
    connect(&cluster).await.ping().await.unwrap();
    assert!(!cluster.sockets().starts_with(&root));
    let sockets = cluster.sockets().to_path_buf();
    cluster.stop().await;
    fs::remove_dir_all(sockets).unwrap();
}

#[tokio::test]
async fn a_server_on_the_usual_port_is_not_in_the_way() {
    // Fails if a server is running already, which serves the test equally well.
    let _listener = TcpListener::bind("127.0.0.1:5432");
    let scratch = Scratch::new();
    let cluster = start(scratch.path()).await;
    let mut db = connect(&cluster).await;
    let listens: String =
        sqlx::query_scalar("show listen_addresses").fetch_one(&mut db).await.unwrap();
    assert_eq!(listens, "");
}

#[tokio::test]
async fn a_named_folder_without_postgres_is_refused() {
    let scratch = Scratch::new();
    let environment =
        EmbeddedEnvironment { pg_bin: Some("/nowhere".into()), ..EmbeddedEnvironment::read() };
    let error = refusal(Options { environment, ..options(scratch.path()) }).await;
    assert!(error.to_string().contains("AFTERCALL_PG_BIN=/nowhere"), "{error}");
}

#[tokio::test]
async fn data_of_another_version_is_not_touched() {
    let scratch = Scratch::new();
    let foreign = scratch.path().join("pg99");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("PG_VERSION"), "99\n").unwrap();
    let error = refusal(options(scratch.path())).await.to_string();
    assert!(error.contains("PostgreSQL [99]"), "{error}");
}

#[tokio::test]
async fn root_is_told_when_the_server_cannot_reach_its_folder() {
    if !geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let error = refusal(options(&scratch.path().join("data"))).await.to_string();
    assert!(error.contains("cannot enter") && error.contains("AFTERCALL_DATA_DIR"), "{error}");
}

#[tokio::test]
async fn root_may_name_the_user_of_the_server() {
    if !geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    let named = |user: &str| {
        let environment =
            EmbeddedEnvironment { pg_user: Some(user.into()), ..EmbeddedEnvironment::read() };
        Options { environment, ..options(&scratch.path().join("data")) }
    };
    assert!(matches!(refusal(named("nobody-at-all")).await, StartError::NoAccount(_)));
    assert!(matches!(refusal(named("root")).await, StartError::NoAccount(_)));
    let cluster = Cluster::start(named("nobody")).await.unwrap();
    connect(&cluster).await.ping().await.unwrap();
    let pid = server_pid(&scratch.path().join("data")).unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let words = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().map(|word| word.parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(words("Uid:"), [nobody.uid.as_raw(); 4]);
    assert_eq!(words("Groups:"), [nobody.gid.as_raw()], "none of root's groups is left");
}

#[tokio::test]
async fn an_ordinary_user_needs_no_privileges() {
    if !geteuid().is_root() {
        return; // then all other tests cover this
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let scratch = Scratch::new();
    let folder = scratch.path().join("own");
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(nobody.uid), Some(nobody.gid)).unwrap();
    let binary = binary_for_all(scratch.path());

    let mut command = processes::owner_by(&binary, &folder);
    command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw()).current_dir("/");
    let mut owner = Ward::spawn(&mut command);
    processes::ready(&mut owner, &folder).await;
    let pid = server_pid(&folder.join("cluster")).unwrap();
    owner.kill_hard();
    eventually("the end of the server", async || (!is_running(pid)).then_some(())).await;
}
