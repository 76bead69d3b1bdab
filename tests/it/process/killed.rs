//! `kill -9` at the worst moments: the next start completes what was begun, once.
use aftercall::embedded::{DATABASE, connect_options};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{Home, Process, Service, free_port};
use crate::{embedded, support::eventually};

/// Short waits, so that work left by a killed process is soon resumed. The sandbox restarts on the
/// same port, since it also serves the recording.
fn impatient() -> Home {
    Home::new()
        .set("AFTERCALL__SANDBOX__LISTEN", format!("127.0.0.1:{}", free_port()))
        .set("AFTERCALL__PROVIDER__TIMEOUT", "1s")
        .set("AFTERCALL__DISPATCH__LEASE", "2s")
        .set("AFTERCALL__DISPATCH__UNCONFIRMED_WAIT", "2s")
        .set("AFTERCALL__DISPATCH__BACKOFF", "500ms")
        .set("AFTERCALL__RECONCILE__AFTER", "1s")
        .set("AFTERCALL__RECONCILE__INTERVAL", "100ms")
}

/// Kills the demo once `condition` holds for its job.
async fn kill_when(home: &Home, mut demo: Process, condition: &str) {
    let options = connect_options(&home.data().join("s"), DATABASE);
    let holds = format!("select exists (select from aftercall.jobs j where {condition})");
    eventually(condition, async || {
        // False until server, database and table exist.
        let mut db = PgConnection::connect_with(&options).await.ok()?;
        let statement = sqlx::AssertSqlSafe(holds.clone());
        let holds = sqlx::query_scalar(statement).fetch_one(&mut db).await.unwrap_or(false);
        db.close().await.ok()?;
        holds.then_some(())
    })
    .await;
    demo.kill_hard();
}

/// Two jobs, each completed once with its whole result.
async fn check_whole(home: &Home) {
    let cluster = embedded::start(&home.data()).await;
    let mut db = PgConnection::connect_with(&cluster.connect_options(DATABASE)).await.unwrap();
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "select state,
            (select count(*) from aftercall.results r where r.job_id = j.id),
            (select count(*) from aftercall.utterances u where u.job_id = j.id),
            (select count(*) from aftercall.job_events e where e.job_id = j.id and kind = 'completed')
        from aftercall.jobs j",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    assert_eq!(rows, vec![("completed".to_owned(), 1, 18, 1); 2]);
    db.close().await.unwrap();
    cluster.stop().await;
}

/// Runs the demo after a killed one; returns its output.
async fn recover(home: &Home) -> String {
    let out = home.run(&["demo", "--once"]).await.success();
    assert_eq!(out.matches("An earlier run left a job unfinished").count(), 1, "{out}");
    assert_eq!(out.matches("2 speakers, 18 utterances").count(), 2, "{out}");
    check_whole(home).await;
    out
}

#[tokio::test]
async fn killed_while_the_job_is_queued() {
    let home = impatient().set("AFTERCALL__SANDBOX__FAULTS", "broken");
    let tried = "state = 'queued' and exists (select from aftercall.attempts where job_id = j.id)";
    kill_when(&home, home.start(["demo", "--once"]), tried).await;
    recover(&home.unset("AFTERCALL__SANDBOX__FAULTS")).await;
}

#[tokio::test]
async fn killed_while_the_job_is_handed_over() {
    let home = impatient().set("AFTERCALL__SANDBOX__FAULTS", "slow");
    kill_when(&home, home.start(["demo", "--once"]), "state = 'submitting'").await;
    recover(&home.unset("AFTERCALL__SANDBOX__FAULTS")).await;
}

#[tokio::test]
async fn killed_after_the_provider_took_the_job_and_before_it_said_so() {
    let home = impatient()
        .set("AFTERCALL__SANDBOX__FAULTS", "reset")
        .set("AFTERCALL__SANDBOX__LATENCY", "30s")
        .set("AFTERCALL__DISPATCH__UNCONFIRMED_WAIT", "30s")
        .set("AFTERCALL__WEBHOOK__LISTEN", format!("127.0.0.1:{}", free_port()));
    let unknown = "exists (select from aftercall.attempts a
        where a.job_id = j.id and a.outcome = 'unknown')";
    kill_when(&home, home.start(["demo", "--once"]), unknown).await;
    let home = home.unset("AFTERCALL__SANDBOX__FAULTS").set("AFTERCALL__SANDBOX__LATENCY", "50ms");
    let out = recover(&home).await;
    // Without an id only the webhook can report the end; a second attempt would be paid for twice.
    assert_eq!(out.matches("completed via webhook").count(), 2, "{out}");
}

#[tokio::test]
async fn killed_while_the_provider_is_at_work() {
    let home = impatient()
        .set("AFTERCALL__SANDBOX__LATENCY", "30s")
        .set("AFTERCALL__WEBHOOK__LISTEN", format!("127.0.0.1:{}", free_port()));
    kill_when(&home, home.start(["demo", "--once"]), "state = 'submitted'").await;
    recover(&home.set("AFTERCALL__SANDBOX__LATENCY", "50ms")).await;
}

#[tokio::test]
async fn killed_while_the_provider_is_at_work_and_back_on_another_port() {
    let home = impatient().set("AFTERCALL__SANDBOX__LATENCY", "30s");
    let mut service = Service::start(&home).await;
    // Not an upload, which the provider could not fetch any more either.
    let id = service.submit(json!({})).await;
    service.job_when(&id, |job| job["state"] == "submitted").await;
    let key = service.key.clone();
    service.process.kill_hard();

    let home = home.set("AFTERCALL__SANDBOX__LATENCY", "50ms");
    let mut service = Service::without_key(&home).await;
    service.key = key;
    assert_eq!(service.finished(&id).await["completedVia"], "poll", "its webhook led nowhere");
    service.stop().await.success();
}

#[tokio::test]
async fn what_was_answered_202_is_there_after_a_kill() {
    let home = impatient();
    let mut service = Service::start(&home).await;
    let id = service.submit(json!({ "externalId": "kept" })).await;
    let key = service.key.clone();
    service.process.kill_hard();

    let mut service = Service::without_key(&home).await;
    service.key = key;
    assert_eq!(service.get(&format!("/v1/jobs/{id}")).await["externalId"], "kept");
    assert_eq!(service.finished(&id).await["state"], "completed");
    service.stop().await.success();
}
