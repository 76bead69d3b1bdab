//! `aftercall status`: the screen that people see.
use std::{
    fs,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::Home;
use crate::support::{db::TestDb, eventually, ward::Ward};

const FAULTS: &[&str] = &[
    "update aftercall.hook_test set tested_at = now(), is_up = false, seconds = 0.5,
        fault = 'responded with 502 Bad Gateway instead of 200'",
    "update aftercall.provider_gate set blocked_until = now() + interval '1 h',
        refused_since = now() - interval '3 h', refused_class = 'auth', probe_at = now()",
];

async fn spoil(db: &TestDb) {
    for statement in FAULTS {
        sqlx::query(*statement).execute(&db.pool).await.unwrap();
    }
}

#[tokio::test]
async fn the_screen_has_problems_first_and_fits_a_terminal() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let well = home.run(&["status"]).await.success();
    assert!(well.contains("\nno problems\n"), "{well}");
    spoil(&db).await;
    let old = "update aftercall.service_samples set taken_at = now() - interval '20 s'";
    sqlx::query(old).execute(&db.pool).await.unwrap();
    let bad = home.run(&["status"]).await.success();
    let lines: Vec<&str> = bad.lines().collect();
    assert!(lines[2].starts_with("! the provider has rejected every job for 3 h"), "{bad}");
    assert!(lines[3].starts_with("! the provider's rate limit was exceeded"), "{bad}");
    assert!(
        lines[4].starts_with(
            "! the public webhook URL fails: responded with 502 Bad Gateway instead of 200"
        ),
        "{bad}"
    );
    for screen in [&well, &bad] {
        assert!(screen.lines().count() <= 24, "{screen}");
        assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
        assert!(!screen.contains('\x1b'), "colors are for terminals");
    }
    let json: Value =
        serde_json::from_str(&home.run(&["status", "--json"]).await.success()).unwrap();
    assert_eq!(json["problems"].as_array().unwrap().len(), 3, "{json:#}");
}

#[tokio::test]
async fn watched_without_a_terminal_it_prints_screen_after_screen() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let process = home.start(["status", "--watch"]);
    eventually("two screens", async || {
        (process.out().matches("no problems").count() >= 2).then_some(())
    })
    .await;
    process.signal(Signal::SIGINT);
    let out = process.ended().await.success();
    assert!(!out.contains('\x1b'), "{out}");
}

#[tokio::test]
async fn watched_in_a_terminal_it_leaves_the_terminal_as_it_was() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    // `script` (util-linux) runs it in a terminal and writes down what that gets.
    let shell = format!("echo $$ > pid; exec {} status --watch", env!("CARGO_BIN_EXE_aftercall"));
    let prepared = home.command([""; 0]);
    let mut terminal = Command::new("script");
    terminal.args(["-qefc", &shell, "typescript"]).current_dir(home.path());
    terminal.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.stdin(Stdio::null()).stdout(Stdio::null());
    let mut terminal = Ward::spawn(&mut terminal);
    let read = || fs::read_to_string(home.path().join("typescript")).unwrap_or_default();
    eventually("a screen", async || read().contains("Provider").then_some(())).await;
    let pid = fs::read_to_string(home.path().join("pid")).unwrap();
    kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGINT).unwrap();
    eventually("its end", async || terminal.try_wait().unwrap()).await;
    let seen = read();
    let (begin, end) = (seen.find("\x1b[?1049h\x1b[?25l"), seen.rfind("\x1b[?25h\x1b[?1049l"));
    assert!(begin.is_some() && begin < end, "{seen:?}");
    assert!(seen.contains("\x1b[32mno problems\x1b[0m"), "{seen:?}");
}
