//! Two real servers, of which one takes over from the other: the service goes on there without a restart.
mod server;

use std::time::Duration;

use aftercall::db::{PoolOptions, Primary, Servers};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use self::server::Server;
use crate::{
    process::{Home, Service},
    support::{eventually, scratch::Scratch},
};

const LISTENERS: &str = "select count(*) from pg_stat_activity where application_name = 'aftercall' and query ilike 'listen%'";
const SESSIONS: &str = "select count(*) from pg_stat_activity where application_name = 'aftercall'";

struct World {
    _folder: Scratch,
    primary: Server,
    standby: Server,
    url: String,
    home: Home,
}

impl World {
    /// The standby comes first in the URL, so that whoever just takes the first host fails.
    async fn start() -> Self {
        let folder = Scratch::new();
        let primary = Server::primary(folder.path()).await;
        let standby = primary.standby(folder.path()).await;
        let url = format!(
            "postgres://aftercall@127.0.0.1:{},127.0.0.1:{}/aftercall?target_session_attrs=read-write&sslmode=disable",
            standby.port, primary.port
        );
        let home = Home::new()
            .set("DATABASE_URL", &url)
            .set("AFTERCALL__DATABASE__MIGRATION_URL", &url)
            .set("AFTERCALL__DATABASE__ACQUIRE_TIMEOUT", "1s");
        Self { _folder: folder, primary, standby, url, home }
    }
}

async fn submission(service: &Service) -> Response {
    let body = json!({ "contentUri": service.recording, "encoding": "Wav" });
    let request = service.http.post(format!("{}/v1/jobs", service.api)).bearer_auth(&service.key);
    request.json(&body).send().await.unwrap()
}

async fn assert_unavailable(response: Response) {
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "unavailable");
}

/// Submits until it is accepted; until then only a 503 is right.
async fn assert_recovers(service: &Service) {
    let id = eventually("an accepted submission", async || {
        let response = submission(service).await;
        if response.status() != StatusCode::ACCEPTED {
            assert_unavailable(response).await;
            return None;
        }
        Some(response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned())
    })
    .await;
    eventually("its end", async || {
        let (status, job) =
            service.send(reqwest::Method::GET, &format!("/v1/jobs/{id}"), None).await;
        assert!(status == 200 || status == 503, "{status}");
        (job["state"] == "completed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_pool_has_no_connection_to_a_standby() {
    let World { _folder, primary, standby: _standby, url, .. } = World::start().await;
    let servers = Servers::parse(&url, None).unwrap_or_else(|faults| panic!("{faults:?}"));
    let options = PoolOptions { max_connections: 2, acquire_timeout: Duration::from_secs(1) };
    // Begins with the first host, which is the standby.
    let followed = Primary::later(servers, options);
    let refused = followed.pool().acquire().await.unwrap_err();
    assert!(matches!(refused, sqlx::Error::PoolTimedOut), "{refused}");
    followed.wait_for(Duration::from_secs(30)).await.unwrap();
    let mut db = followed.pool().acquire().await.unwrap();
    let port: i32 =
        sqlx::query_scalar("select inet_server_port()").fetch_one(&mut *db).await.unwrap();
    assert_eq!(port, i32::from(primary.port));
}

#[tokio::test]
async fn when_the_primary_crashes_the_service_goes_on_with_the_standby() {
    let World { _folder, primary, standby, home, .. } = World::start().await;
    home.run(&["migrate"]).await.success();
    let service = Service::start(&home).await;
    let before = service.submit(json!({})).await;
    assert_eq!(service.finished(&before).await["state"], "completed");

    primary.crash().await;
    assert_unavailable(submission(&service).await).await;
    let webhook = format!("{}/webhooks/{}", service.webhook, "A".repeat(64));
    let delivery = service.http.post(webhook).body("{}").send().await.unwrap();
    assert_eq!(delivery.status(), StatusCode::SERVICE_UNAVAILABLE);
    let told = home.run(&["status"]).await.failure(1);
    assert!(told.contains("none of the database's hosts accepts writes"), "{told}");

    standby.promote().await;
    assert_recovers(&service).await;
    assert_eq!(service.get(&format!("/v1/jobs/{before}")).await["state"], "completed");
    eventually("both listeners are there too", async || {
        (standby.ask::<i64>(LISTENERS).await == 2).then_some(())
    })
    .await;
    home.run(&["migrate"]).await.success();
    home.run(&["status"]).await.success();
    home.key("after").await;
    service.stop().await.success();
}

#[tokio::test]
async fn connections_to_a_server_that_no_longer_accepts_writes_are_given_up() {
    let World { _folder, primary, standby, home, .. } = World::start().await;
    let service = Service::start(&home).await;
    primary.make_read_only().await;
    eventually("a rejected submission", async || {
        let response = submission(&service).await;
        (response.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;

    standby.promote().await;
    assert_recovers(&service).await;
    eventually("no session on the old server", async || {
        service.get("/v1/jobs").await;
        (primary.ask::<i64>(SESSIONS).await == 0).then_some(())
    })
    .await;
    service.stop().await.success();
}

#[tokio::test]
async fn a_server_that_falls_silent_and_is_replaced_ends_the_process() {
    let World { _folder, primary, standby, home, .. } = World::start().await;
    let service = Service::start(&home).await;
    primary.freeze().await;
    standby.promote().await;
    let told = service.process.ended().await.failure(1);
    assert!(told.contains("has not ended its connections"), "{told}");
    let service = Service::without_key(&home).await;
    service.stop().await.success();
}
