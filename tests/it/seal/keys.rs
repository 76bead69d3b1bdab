//! The keys of a process, and what the commands do with them.
use std::{fs, os::unix::fs::PermissionsExt as _};

use aftercall::seal::Keys;
use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::PgPool;

use crate::{
    process::{Home, Service},
    support::{app::SEAL_KEY, db::TestDb, eventually},
};

const SIGNED: &str = "http://127.0.0.1:9/a.wav?sig=hush";

async fn known(db: &PgPool) -> Vec<String> {
    let ids = "select id from aftercall.seal_keys order by id";
    sqlx::query_scalar(ids).fetch_all(db).await.unwrap()
}

#[tokio::test]
async fn without_a_key_one_is_made_and_its_loss_stops_the_start() {
    let db = TestDb::new().await;
    let home = Home::on(&db).unset("AFTERCALL__SEAL__KEY");
    Service::without_key(&home).await.stop().await.success();
    let file = home.data().join("seal.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read_to_string(&file).unwrap();
    assert_eq!(known(&db.pool).await, Keys::parse(&key).unwrap().ids().collect::<Vec<_>>());
    Service::without_key(&home).await.stop().await.success();
    assert_eq!(fs::read_to_string(&file).unwrap(), key);

    fs::remove_file(&file).unwrap();
    let told = home.run(&["serve"]).await.failure(78);
    assert!(told.contains("seal.key is not set") && told.contains("own-"), "{told}");
    assert!(!file.exists(), "no second key is made");
    let home = home.set("AFTERCALL__SEAL__KEY", SEAL_KEY);
    let told = home.run(&["serve"]).await.failure(78);
    assert!(told.contains("own-") && told.contains("seal forget"), "{told}");
    assert!(home.run(&["doctor"]).await.out.contains("own-"));
    // Nothing is sealed with it.
    let id = known(&db.pool).await.remove(0);
    home.run(&["seal", "forget", &id]).await.success();
    Service::without_key(&home).await.stop().await.success();
    let other = SEAL_KEY.replace("dGVzdHRl", "ZGlmZmVy");
    let told = home.set("AFTERCALL__SEAL__KEY", other).run(&["serve"]).await.failure(78);
    assert!(told.contains("another key"), "{told}");
}

#[tokio::test]
async fn a_key_is_rotated_beside_the_running_service() {
    let db = TestDb::new().await;
    let home = Home::on(&db).unset("AFTERCALL__SEAL__KEY");
    let file = home.path().join("keys");
    let home = home.set("AFTERCALL__SEAL__KEY_FILE", file.display().to_string());
    fs::write(&file, SEAL_KEY).unwrap();
    let service = Service::start(&home).await;
    // It fails, and may be retried.
    let id = service.submit(json!({ "contentUri": SIGNED })).await;
    service.finished(&id).await;

    let new = home.run(&["seal", "key", "2026-11"]).await.success();
    fs::write(&file, format!("# current\n{new}{SEAL_KEY}\n")).unwrap();
    service.process.signal(Signal::SIGHUP);
    eventually("the reload", async || {
        let log = service.process.out();
        log.contains("settings reloaded").then_some(())
    })
    .await;
    assert_eq!(known(&db.pool).await, ["2026-11", "test"]);
    let told = home.run(&["seal", "rotate"]).await.success();
    assert!(told.contains("jobs.content_uri_sealed: 1 rotated"), "{told}");
    assert!(told.contains("test seals nothing any more"), "{told}");
    fs::write(&file, &new).unwrap();
    let again = home.run(&["seal", "rotate"]).await.success();
    assert!(again.contains("jobs.content_uri_sealed: 0 rotated"), "{again}");
    assert!(home.run(&["seal", "forget", "2026-11"]).await.failure(1).contains("--lose"));
    service.process.signal(Signal::SIGHUP);
    let (status, _) =
        service.send(reqwest::Method::POST, &format!("/v1/jobs/{id}/retry"), None).await;
    assert_eq!(status, 202);
    service.finished(&id).await;
    service.stop().await.success();
}
