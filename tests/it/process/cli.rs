//! The commands around a service: keys, submit, migrate, healthcheck, openapi; and exit codes.
use aftercall::embedded::DATABASE;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use super::{Home, SAMPLE, Service};
use crate::{
    embedded,
    support::{db::TestDb, eventually},
};

#[tokio::test]
async fn keys_are_made_listed_and_revoked_with_and_without_a_service() {
    let home = Home::new();
    let early = home.key("crm").await;
    let mut service = Service::without_key(&home).await;
    let made = home.run(&["keys", "create", "call-center.eu", "--name", "host 7"]).await;
    assert!(made.err.contains("shown only once"), "{}", made.err);
    let late = made.success().trim().to_owned();
    for key in [&early, &late] {
        service.key.clone_from(key);
        service.get("/v1/jobs").await;
    }

    let scopes = ["--scope", "admin:read", "--scope", "admin:write"];
    home.run(&[&["keys", "create", "ops"], &scopes[..]].concat()).await.success();
    let wrong = home.run(&["keys", "create", "ops", "--scope", "admin"]).await.failure(2);
    assert!(wrong.contains("admin:read"), "{wrong}");

    let list = home.run(&["keys", "list"]).await.success();
    let operator = list.lines().find(|line| line.contains(" ops ")).unwrap();
    assert!(operator.contains("admin:read admin:write"), "{operator}");
    let id = late.split('_').nth(1).unwrap();
    let line = list.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(line.contains("call-center.eu") && line.contains("host 7"), "{line}");
    for key in [&early, &late] {
        let secret = key.split_once('_').unwrap().1.split_once('_').unwrap().1;
        assert!(secret.len() > 40 && !list.contains(secret), "{list}");
    }

    home.run(&["keys", "revoke", id]).await.success();
    let refused = eventually("the key is refused", async || {
        let (status, problem) = service.send(Method::GET, "/v1/jobs", None).await;
        (status != 200).then_some((status, problem["code"].clone()))
    });
    assert_eq!(refused.await, (401, json!("unauthorized")));
    service.key = early;
    service.get("/v1/jobs").await;
    let again = home.run(&["keys", "revoke", id]).await.failure(1);
    assert!(again.contains("there is no valid key"), "{again}");
    let wrong = home.run(&["keys", "create", "Not A Name"]).await.failure(1);
    assert!(wrong.contains("names are like crm"), "{wrong}");
    service.stop().await.success();
}

#[tokio::test]
async fn keys_are_rolled_and_unused_ones_are_found() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("AFTERCALL__KEYS__LIFETIME", "90d");
    let create =
        ["keys", "create", "crm", "--name", "host 7", "--scope", "jobs:read", "--rate", "9"];
    let old = home.run(&create).await.success();
    let id = old.split('_').nth(1).unwrap();
    let rolled = home.run(&["keys", "roll", id, "--overlap", "1h", "--expires-in", "off"]).await;
    assert!(rolled.err.contains(&format!("replaces {id}, which expires in 1h")), "{}", rolled.err);
    let new = rolled.success();
    let successor = new.split('_').nth(1).unwrap();
    let list = home.run(&["keys", "list", "--caller", "crm"]).await.success();
    let line = |id: &str| {
        let line = list.lines().find(|line| line.starts_with(id)).unwrap();
        line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>()
    };
    let [_, caller, name, rate, _, expires, _, revoked, _, scopes] = line(successor)[..] else {
        panic!("{list}")
    };
    let terms = [caller, name, rate, expires, revoked, scopes];
    assert_eq!(terms, ["crm", "host 7", "9", "-", "-", "jobs:read"]);
    assert_eq!(line(id)[8], successor);
    assert_ne!(line(id)[5], "-");
    let secret = new.trim().splitn(3, '_').last().unwrap();
    assert!(!list.contains(secret), "{list}");
    let again = home.run(&["keys", "roll", id]).await.failure(1);
    assert!(again.contains(&format!("has the successor {successor}")), "{again}");
    let unknown = home.run(&["keys", "roll", "0"]).await.failure(1);
    assert!(unknown.contains("there is no valid key 0"), "{unknown}");

    let long_ago =
        "update aftercall.api_keys set created_at = now() - interval '91 days' where id = $1";
    sqlx::query(long_ago).bind(successor).execute(&db.pool).await.unwrap();
    let unused = home.run(&["keys", "list", "--unused", "90d"]).await.success();
    assert!(unused.contains(successor) && !unused.contains(&format!("\n{id}")), "{unused}");
    for (wrong, told) in [
        (&["keys", "list", "--unused", "ninety"][..], "write a time such as 90d"),
        (&["keys", "create", "crm", "--expires-in", "0s"], "longer than nothing"),
        (&["keys", "create", "crm", "--rate", "0"], "1..=1000000000"),
        (&["keys", "create", "crm", "--name", ""], "1 to 100 characters"),
        (&["keys", "roll", successor, "--overlap", "100y"], "longer than 50 years"),
    ] {
        let error = home.run(wrong).await.failure(2);
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn callers_are_listed_and_get_weights_and_quotas() {
    let home = Home::new();
    home.key("crm").await;
    let list = home.run(&["callers", "list"]).await.success();
    let line = list.lines().find(|line| line.starts_with("crm ")).unwrap();
    assert!(line.contains("0, no quota"), "{list}");
    let set = ["callers", "set", "crm", "--weight", "5", "--daily", "100", "--monthly", "2000"];
    home.run(&set).await.success();
    let list = home.run(&["callers", "list"]).await.success();
    assert!(list.contains("0 of 100") && list.contains("0 of 2000"), "{list}");
    let set = home.run(&["callers", "set", "crm", "--daily", "none"]).await.success();
    assert!(set.contains("0, no quota") && set.contains("0 of 2000"), "{set}");

    let wrong = ["callers", "set", "crm", "--weight", "0", "--daily", "many", "--monthly", "1e3"];
    let wrong = home.run(&wrong).await.failure(1);
    for named in
        ["--weight must be", "--daily must be", "or none, not \"many\"", "--monthly must be"]
    {
        assert!(wrong.contains(named), "{wrong}");
    }
    let nothing = home.run(&["callers", "set", "crm"]).await.failure(1);
    assert!(nothing.contains("nothing to change"), "{nothing}");
    let nobody = home.run(&["callers", "set", "nobody", "--weight", "2"]).await.failure(1);
    assert!(nobody.contains("there is no caller"), "{nobody}");
}

#[tokio::test]
async fn migrate_may_run_again_and_serve_can_insist_on_it() {
    let home = Home::new();
    let cluster = embedded::start(&home.path().join("elsewhere")).await;
    cluster.create_database(DATABASE).await.unwrap();
    let home = home
        .set("DATABASE_URL", cluster.connect_options(DATABASE).to_url_lossy())
        .set("AFTERCALL__DATABASE__MIGRATE", "off");
    let told = home.run(&["serve"]).await.failure(1);
    assert!(told.contains("run `aftercall migrate`"), "{told}");
    for _ in 0..2 {
        let out = home.run(&["migrate"]).await.success();
        assert!(out.contains("the database is up to date"), "{out}");
    }
    Service::without_key(&home).await.stop().await.success();
    cluster.stop().await;
}

#[tokio::test]
async fn healthcheck_tells_ready_from_absent() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::without_key(&home).await;
    let listen = service.ops.trim_start_matches("http://").to_owned();
    let beside = Home::new().set("AFTERCALL__OPS__LISTEN", listen);
    beside.run(&["healthcheck"]).await.success();
    service.stop().await.success();
    let told = beside.run(&["healthcheck"]).await.failure(1);
    assert!(told.contains("no response from"), "{told}");
}

#[tokio::test]
async fn openapi_prints_the_document_and_wrong_usage_is_2() {
    let home = Home::new();
    let document: Value = serde_json::from_str(&home.run(&["openapi"]).await.success()).unwrap();
    assert!(document["paths"]["/v1/jobs"]["post"].is_object());
    for wrong in [&["srve"][..], &[], &["keys"], &["submit"], &["config", "print", "--loud"]] {
        let told = home.run(wrong).await.failure(2);
        assert!(told.contains("Usage"), "{told}");
    }
    let version = home.run(&["--version"]).await.success();
    assert_eq!(version.trim(), concat!("aftercall ", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn submit_sends_a_file_or_a_url_and_shows_the_result() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    let home = home.set("AFTERCALL_URL", &service.api).set("AFTERCALL_API_KEY", &service.key);

    let file = home.run(&["submit", SAMPLE, "--separate-speaker-per-channel"]).await;
    assert!(file.err.contains("completed"), "the progress is on standard error: {}", file.err);
    let report = file.success();
    assert!(
        report.contains("2 speakers") && report.contains("Why was I charged twice?"),
        "{report}"
    );

    let url = home.run(&["submit", &service.recording, "--json", "--external-id", "e-1"]).await;
    let result: Value = serde_json::from_str(&url.success()).unwrap();
    assert_eq!(result["utteranceInsights"].as_array().unwrap().len(), 18);
    let jobs = service.get("/v1/jobs").await;
    let named = jobs["data"].as_array().unwrap().iter().find(|job| job["externalId"] == "e-1");
    assert_eq!(named.unwrap()["state"], "completed");

    let failing = format!("{}?sandbox-faults=fail", service.recording);
    let told = home.run(&["submit", &failing]).await.failure(1);
    assert!(told.contains("the job \"failed\": CAI-101"), "{told}");
    service.stop().await.success();
}

#[tokio::test]
async fn submit_says_what_is_wrong() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    let nameless = home.run(&["submit", SAMPLE]).await.failure(1);
    assert!(nameless.contains("set AFTERCALL_API_KEY or --key-file"), "{nameless}");
    let unknown = home.set("AFTERCALL_API_KEY", "ac_0123456789abcdef_wrong");
    let api = service.api.clone();
    let told = unknown.run(&["submit", SAMPLE, "--api", &api]).await.failure(1);
    assert!(told.contains("401 unauthorized"), "{told}");
    assert!(!told.contains("wrong"), "{told}");

    let key_file = unknown.path().join("key");
    std::fs::write(&key_file, format!("{}\n", service.key)).unwrap();
    let key_file = key_file.to_str().unwrap();
    let submit = async |arguments: &[&str]| {
        let usual = ["submit", "--api", &api, "--key-file", key_file];
        unknown.run(&[&usual[..], arguments].concat()).await.failure(1)
    };
    let faults = submit(&[SAMPLE, "--audio-type", "Song", "--encoding", "Flac"]).await;
    assert!(faults.contains("422 validation-failed"), "{faults}");
    assert!(faults.contains("\n  #/audioType ") && faults.contains("\n  #/encoding "), "{faults}");
    let missing = submit(&["missing.wav"]).await;
    assert!(missing.contains("cannot read missing.wav"), "{missing}");
    let unnamed = submit(&["https://media.example/calls/42"]).await;
    assert!(unnamed.contains("use --encoding"), "{unnamed}");
    std::fs::write(unknown.path().join("call.wav"), "not found").unwrap();
    let text = submit(&["call.wav"]).await;
    assert!(text.contains("422 not-audio: the file is text"), "{text}");
    service.stop().await.success();
    let gone = submit(&[SAMPLE]).await;
    assert!(gone.contains("cannot reach Aftercall at"), "{gone}");
}
