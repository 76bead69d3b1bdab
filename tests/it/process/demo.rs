//! `aftercall demo --once`: from nothing to insights, leaving nothing behind.
use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use nix::unistd::{User, chown, geteuid};

use super::Home;
use crate::{embedded::server_pid, support::scratch::binary_for_all};

/// Checks what the demo reports about the bundled recording.
fn check_report(out: &str) {
    for fact in [
        "2 speakers, 18 utterances, completed via webhook",
        "  Agent     ███",
        "  0:18  Customer: Sure, the invoice number is four four seven one. Why was I charged twice?",
        "energy 65.7",
        "Emotions\n  Neutral 14, Anger 1",
        "Will I get my money back?",
        "refund ×2",
        "Stored as job ",
    ] {
        assert!(out.contains(fact), "no {fact:?} in:\n{out}");
    }
}

/// Command lines of processes that run in `folder` or have it as an argument.
fn processes_of(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let of = |path: &Path| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let is_inside = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        (is_inside || line.contains(&*folder.to_string_lossy())).then_some(line)
    };
    entries.filter_map(|path| of(&path)).collect()
}

#[tokio::test]
async fn one_command_shows_the_insights_and_leaves_nothing_running() {
    // The proxy must not be used for addresses on this machine.
    let nowhere = "http://127.0.0.1:9";
    let home = Home::new().set("HTTP_PROXY", nowhere).set("http_proxy", nowhere);
    let out = home.run(&["demo", "--once"]).await.success();
    check_report(&out);
    assert!(!out.contains("ac_"), "a key that no longer works:\n{out}");
    assert_eq!(processes_of(home.path()), Vec::<String>::new());
    assert_eq!(server_pid(&home.data()), None, "it was a clean shutdown");
}

#[tokio::test]
async fn an_ordinary_user_sees_the_same() {
    if !geteuid().is_root() {
        return; // then all other tests cover this
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let home = Home::new();
    fs::create_dir(home.data()).unwrap();
    chown(&home.data(), Some(nobody.uid), Some(nobody.gid)).unwrap();
    let mut command = Command::new(binary_for_all(home.path()));
    let usual = home.command(["demo", "--once"]);
    command.args(usual.get_args()).current_dir(home.path());
    for (name, value) in usual.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    check_report(&home.spawn(command).ended().await.success());
    assert_eq!(processes_of(&home.data()), Vec::<String>::new());
}
