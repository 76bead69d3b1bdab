//! `aftercall serve` from startup to shutdown, intended or not.
use aftercall::embedded::DATABASE;
use bytes::Bytes;
use futures_util::stream;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Body, StatusCode};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use tokio::sync::oneshot;

use super::{Home, Service, free_port};
use crate::{
    embedded::{self, is_running, server_pid},
    support::{db::TestDb, eventually},
};

async fn ready(service: &Service) -> bool {
    service.status(&format!("{}/readyz", service.ops)).await == StatusCode::OK
}

#[tokio::test]
async fn replicas_divide_the_rate_limits_between_them() {
    let db = TestDb::new().await;
    let home = || Home::on(&db).set("AFTERCALL__KEYS__RATE_LIMIT", "1000000");
    let (first, second) = (home(), home());
    let service = Service::start(&first).await;
    let part = async || {
        let request =
            service.http.get(format!("{}/v1/jobs", service.api)).bearer_auth(&service.key);
        let answer = request.send().await.unwrap();
        let left = answer.headers()["ratelimit"].to_str().unwrap().split(";r=").nth(1).unwrap();
        let left: u32 = left.split(';').next().unwrap().parse().unwrap();
        left.div_ceil(100_000)
    };
    assert_eq!(part().await, 10);
    let other = Service::without_key(&second).await;
    eventually("the other is counted", async || (part().await == 5).then_some(())).await;
    other.stop().await.success();
    eventually("the other is gone", async || (part().await == 10).then_some(())).await;
    service.stop().await.success();
}

#[tokio::test]
async fn told_to_stop_it_turns_traffic_away_and_finishes_what_is_in_flight() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("AFTERCALL__SHUTDOWN__DRAIN_DELAY", "3s");
    let service = Service::start(&home).await;
    assert!(ready(&service).await);
    let mirrored = format!("{}/readyz?verbose", service.api);
    let verbose: Value = service.http.get(&mirrored).send().await.unwrap().json().await.unwrap();
    let checks = json!({ "database": "ok", "migrations": "ok", "writes": "ok", "draining": false, "provider": "ok" });
    assert_eq!(verbose, json!({ "status": "ok", "checks": checks }));

    // A request whose second half is sent after everything else has stopped.
    let (finish, finished) = oneshot::channel::<()>();
    let whole = json!({ "contentUri": service.recording, "encoding": "Wav" }).to_string();
    let (first, second) = whole.split_at(10);
    let (first, second) = (Bytes::from(first.to_owned()), Bytes::from(second.to_owned()));
    let halves =
        stream::unfold((Some(first), Some((finished, second))), async |state| match state {
            (Some(first), rest) => Some((Ok::<_, std::io::Error>(first), (None, rest))),
            (None, Some((finished, second))) => {
                finished.await.unwrap();
                Some((Ok(second), (None, None)))
            }
            (None, None) => None,
        });
    let request = service.http.post(format!("{}/v1/jobs", service.api));
    let request = request.bearer_auth(&service.key).header("content-type", "application/json");
    let in_flight = tokio::spawn(request.body(Body::wrap_stream(halves)).send());
    // A later request, to be sure that the first one has been accepted.
    service.get("/v1/jobs").await;

    service.process.signal(Signal::SIGTERM);
    eventually("unreadiness", async || (!ready(&service).await).then_some(())).await;
    service.get("/v1/jobs").await;
    let live = format!("{}/livez", service.ops);
    assert_eq!(service.status(&live).await, StatusCode::OK);

    eventually("closed listeners", async || service.http.get(&live).send().await.err()).await;
    finish.send(()).unwrap();
    assert_eq!(in_flight.await.unwrap().unwrap().status(), StatusCode::ACCEPTED);
    service.process.ended().await.success();
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let home = Home::new().set("AFTERCALL__SHUTDOWN__DRAIN_DELAY", "10m");
    let mut service = Service::without_key(&home).await;
    let server = server_pid(&home.data()).unwrap();
    service.process.signal(Signal::SIGTERM);
    service.process.logged("shutting down").await;
    service.process.signal(Signal::SIGINT);
    service.process.ended().await.failure(130);
    eventually("the end of its Postgres", async || (!is_running(server)).then_some(())).await;
}

#[tokio::test]
async fn a_postgres_that_dies_is_replaced_each_time() {
    let home = Home::new();
    let service = Service::start(&home).await;
    for _ in 0..2 {
        let dead = server_pid(&home.data()).unwrap();
        kill(Pid::from_raw(dead), Signal::SIGKILL).unwrap();
        eventually("another Postgres", async || {
            server_pid(&home.data()).filter(|pid| *pid != dead)?;
            ready(&service).await.then_some(())
        })
        .await;
        let id = service.submit(json!({})).await;
        assert_eq!(service.finished(&id).await["state"], "completed");
    }
}

#[tokio::test]
async fn without_its_database_it_lives_on_unready_until_that_is_back() {
    let home = Home::new();
    let elsewhere = home.path().join("elsewhere");
    let cluster = embedded::start(&elsewhere).await;
    cluster.create_database(DATABASE).await.unwrap();
    let url = cluster.connect_options(DATABASE).to_url_lossy();
    let home = home.set("DATABASE_URL", url).set("AFTERCALL__DATABASE__ACQUIRE_TIMEOUT", "1s");
    let service = Service::start(&home).await;
    assert!(ready(&service).await);

    cluster.stop().await;
    let answer = service.http.get(format!("{}/readyz", service.ops)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["checks"]["database"], "fail");
    assert_eq!(service.status(&format!("{}/livez", service.ops)).await, StatusCode::OK);
    let request = service.http.get(format!("{}/v1/jobs", service.api)).bearer_auth(&service.key);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "unavailable");

    let cluster = embedded::start(&elsewhere).await;
    eventually("readiness", async || ready(&service).await.then_some(())).await;
    service.get("/v1/jobs").await;
    service.stop().await.success();
    cluster.stop().await;
}

/// The address of a server that is not running yet, and its folder.
async fn not_up_yet(home: &Home) -> (String, std::path::PathBuf) {
    let folder = home.path().join("elsewhere");
    let cluster = embedded::start(&folder).await;
    cluster.create_database(DATABASE).await.unwrap();
    let url = cluster.connect_options(DATABASE).to_url_lossy();
    cluster.stop().await;
    (url.into(), folder)
}

#[tokio::test]
async fn a_database_that_is_not_up_yet_is_waited_for() {
    let home = Home::new();
    let (url, folder) = not_up_yet(&home).await;
    let ops = format!("127.0.0.1:{}", free_port());
    let home = home.set("DATABASE_URL", url).set("AFTERCALL__OPS__LISTEN", &ops);
    let mut process = home.start(["serve"]);
    process.logged("waiting for the database").await;
    assert_eq!(reqwest::get(format!("http://{ops}/livez")).await.unwrap().status(), 200);
    assert_eq!(reqwest::get(format!("http://{ops}/readyz")).await.unwrap().status(), 503);

    let cluster = embedded::start(&folder).await;
    process.logged("ready").await;
    assert_eq!(reqwest::get(format!("http://{ops}/readyz")).await.unwrap().status(), 200);
    process.signal(Signal::SIGTERM);
    process.ended().await.success();
    cluster.stop().await;
}

#[tokio::test]
async fn told_to_stop_while_it_waits_for_its_database_it_stops() {
    let home = Home::new();
    let (url, _) = not_up_yet(&home).await;
    let home = home.set("DATABASE_URL", url);
    let mut process = home.start(["serve"]);
    process.logged("waiting for the database").await;
    process.signal(Signal::SIGTERM);
    process.ended().await.success();
}

#[tokio::test]
async fn a_database_that_never_comes_or_does_not_exist_is_an_error() {
    let home = Home::new();
    let (url, _) = not_up_yet(&home).await;
    let home = home.set("DATABASE_URL", url).set("AFTERCALL__DATABASE__START_TIMEOUT", "300ms");
    let told = home.run(&["serve"]).await.failure(1);
    assert!(told.contains("cannot connect to the database"), "{told}");

    let db = TestDb::new().await;
    let url = db.connect_options().database("nowhere").to_url_lossy();
    let home = Home::new().set("DATABASE_URL", url);
    let told = home.run(&["serve"]).await.failure(1);
    assert!(told.contains("\"nowhere\" does not exist"), "{told}");
}

#[tokio::test]
async fn an_address_in_use_is_named_and_nothing_is_left_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Home::new().set("AFTERCALL__WEBHOOK__LISTEN", &address);
    let told = home.run(&["serve"]).await.failure(1);
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
    assert_eq!(server_pid(&home.data()), None);
}
