//! `aftercall healthcheck --url` against a sandbox in a separate process.
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::support::ward::Ward;

fn aftercall(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aftercall"));
    command.args(arguments).stderr(Stdio::null());
    command
}

#[test]
fn a_sandbox_is_healthy_for_as_long_as_it_runs() {
    let mut start = aftercall(&["sandbox", "--listen", "127.0.0.1:0"]);
    let mut sandbox = Ward::spawn(start.stdout(Stdio::piped()));
    let mut first_line = String::new();
    BufReader::new(sandbox.stdout.as_mut().unwrap()).read_line(&mut first_line).unwrap();
    let base = first_line.trim().strip_prefix("sandbox: ").unwrap();
    let healthy = |path: &str| {
        let url = format!("{base}{path}");
        aftercall(&["healthcheck", "--url", &url]).status().unwrap().success()
    };
    assert!(healthy("/livez"));
    assert!(!healthy("/no-such-page"));
    sandbox.kill_hard();
    assert!(!healthy("/livez"));
}
