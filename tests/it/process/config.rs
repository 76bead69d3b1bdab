//! Settings as operators set and see them.
use std::fs;

use super::Home;

/// Value and source of a setting, as printed by `config print`.
fn shown<'a>(out: &'a str, key: &str) -> (&'a str, &'a str) {
    let line = out.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
    let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
    match columns[..] {
        [_, value, source] => (value, source),
        [_, source] => ("", source),
        _ => panic!("{line}"),
    }
}

#[tokio::test]
async fn later_sources_win_and_each_value_names_its_source() {
    let home = Home::new();
    fs::create_dir(home.path().join("config")).unwrap();
    let of_environment = "[dispatch]\nconcurrency = 5\nmax_attempts = 6\nbackoff = \"7s\"\n";
    fs::write(home.path().join("config/staging.toml"), of_environment).unwrap();
    fs::write(home.path().join("mine.toml"), "[dispatch]\nmax_attempts = 8\nbackoff = \"9s\"\n")
        .unwrap();
    fs::write(home.path().join("url"), "postgres://u:hush-1@h/d\n").unwrap();
    let home = home
        .set("AFTERCALL_ENV", "staging")
        .set("AFTERCALL__DISPATCH__BACKOFF", "10s")
        .set("DATABASE_URL_FILE", "url")
        .set("AFTERCALL__SANDBOX__JWT", "hush-2");
    let out = home.run(&["config", "print", "--config", "mine.toml"]).await.success();
    assert!(out.starts_with("# AFTERCALL_ENV=staging\n"), "{out}");
    assert_eq!(shown(&out, "dispatch.concurrency"), ("5", "config/staging.toml"));
    assert_eq!(shown(&out, "dispatch.max_attempts"), ("8", "mine.toml"));
    assert_eq!(shown(&out, "dispatch.backoff"), ("10s", "AFTERCALL__DISPATCH__BACKOFF"));
    assert_eq!(shown(&out, "dispatch.lease"), ("2m", "default"));
    assert_eq!(shown(&out, "database.url"), ("(set, not shown)", "DATABASE_URL_FILE"));
    assert_eq!(shown(&out, "sandbox.jwt"), ("(set, not shown)", "AFTERCALL__SANDBOX__JWT"));
    assert!(!out.contains("hush"), "{out}");
}

#[tokio::test]
async fn a_bad_configuration_is_78_with_all_its_faults() {
    let home = Home::new()
        .set("AFTERCALL__DISPATCH__CONCURENCY", "9")
        .set("AFTERCALL__JOBS__DEADLINE", "soon")
        .set("AFTERCALL_API__LISTEN", "127.0.0.1:1")
        .set("DATABASE_URL", "postgres://u:hush@h/d")
        .set("DATABASE_URL_FILE", "url")
        .set("AFTERCALL__DATABASE__MIGRATION_URL", "postgres://u:hush@one,:port/d")
        .set("AFTERCALL__DATABASE__MAX_CONNECTIONS", "1");
    for command in [&["serve"][..], &["demo", "--once"], &["config", "print"], &["migrate"]] {
        let told = home.run(command).await.failure(78);
        for fault in [
            "dispatch.concurency; did you mean dispatch.concurrency?",
            "jobs.deadline",
            "two underscores",
            "both set",
            "max_connections must be at least 2",
            "database.migration_url has a list of hosts whose number 2 is not host or host:port",
            "database.migration_url names several hosts: append target_session_attrs=read-write",
        ] {
            assert!(told.contains(fault), "no {fault:?} in:\n{told}");
        }
        assert!(!told.contains("hush"), "{told}");
    }
    let missing = Home::new().run(&["serve", "--config", "nowhere.toml"]).await.failure(78);
    assert!(missing.contains("nowhere.toml"), "{missing}");
}

#[tokio::test]
async fn a_read_replica_that_cannot_be_one_is_78() {
    let alone = Home::new()
        .set("AFTERCALL__DATABASE__READ_URL", "postgres://u:hush@h/d")
        .set("AFTERCALL__DATABASE__READ_MAX_LAG", "1h");
    let told = alone.run(&["serve"]).await.failure(78);
    assert!(told.contains("read_url is set without database.url"), "{told}");
    assert!(told.contains("read_max_lag must be shorter than api.request_timeout"), "{told}");
    assert!(!told.contains("hush"), "{told}");
    let several = "postgres://u:hush@h,i/d?target_session_attrs=read-write";
    let faults = [("mysql://u:hush@h:port/d", "is not a"), (several, "must name one host")];
    for (url, fault) in faults {
        let home = Home::new()
            .set("DATABASE_URL", "postgres://u@h/d")
            .set("AFTERCALL__DATABASE__READ_URL", url);
        let told = home.run(&["serve"]).await.failure(78);
        assert!(told.contains(&format!("database.read_url {fault}")), "{told}");
        assert!(!told.contains("hush"), "{told}");
    }
}

#[tokio::test]
async fn the_schema_is_there_for_those_who_mend_a_bad_configuration() {
    let home = Home::new().set("AFTERCALL__JOBS__DEADLINE", "soon");
    let out = home.run(&["config", "schema"]).await.success();
    assert_eq!(out, include_str!("../../../config/schema.json"));
}

#[tokio::test]
async fn production_runs_on_nothing_of_ours() {
    let home = Home::new().set("AFTERCALL_ENV", "production").unset("AFTERCALL__SEAL__KEY");
    let told = home.run(&["serve"]).await.failure(78);
    assert!(told.contains("set DATABASE_URL"), "{told}");
    assert!(told.contains("the sandbox does not run in production"), "{told}");
    let provided = home
        .set("DATABASE_URL", "postgres://h/d")
        .set("RC_SERVER_URL", "https://provider.example")
        .set("RC_CLIENT_ID", "id")
        .set("RC_CLIENT_SECRET", "hush")
        .set("RC_JWT", "hush")
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "http://hooks.example");
    let told = provided.run(&["serve"]).await.failure(78);
    assert!(told.contains("webhook.public_url must be https"), "{told}");
    assert!(told.contains("aftercall seal key"), "{told}");
    let unusable = provided.set("AFTERCALL__SEAL__KEY", "a:canary,b:canary");
    let told = unusable.run(&["serve"]).await.failure(78);
    assert!(told.contains("key 2 must be 32 bytes") && !told.contains("canary"), "{told}");
    let safe = unusable
        .set("AFTERCALL__SEAL__KEY", crate::support::app::SEAL_KEY)
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "https://hooks.example");
    let out = safe.run(&["config", "print"]).await.success();
    assert_eq!(shown(&out, "provider.jwt"), ("(set, not shown)", "RC_JWT"));
}

/// Each key has a comment right above it, or above the block of keys it belongs to.
#[test]
fn every_setting_is_explained() {
    let text = include_str!("../../../config/default.toml");
    let mut is_explained = false;
    for line in text.lines() {
        match line.trim().chars().next() {
            Some('#') => is_explained = true,
            None | Some('[') => is_explained = false,
            Some(_) => {
                let is_inside_a_list = !line.contains(" = ");
                assert!(is_explained || is_inside_a_list, "{line}");
            }
        }
    }
}
