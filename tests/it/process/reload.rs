//! SIGHUP: what a running process takes over from its configuration, and what it leaves alone.
use std::{
    fs,
    sync::{Arc, Mutex},
};

use aftercall::{embedded::DATABASE, provider::wire};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::{net::TcpListener, sync::watch};

use super::{Home, Process, Service};
use crate::{
    embedded::{self, data},
    support::{db::TestDb, eventually},
};

const RELOADED: &str = "settings reloaded";
const REFUSED: &str = "settings not reloaded; the previous ones stay in use";

/// A provider whose client secret can be rotated, and whose submissions wait until they are let through.
#[derive(Clone)]
struct Rotating {
    secret: Arc<Mutex<&'static str>>,
    /// The bearer of every submission.
    seen: Arc<Mutex<Vec<String>>>,
    open: watch::Sender<bool>,
    url: String,
}

impl Rotating {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            secret: Arc::new(Mutex::new("canary-old")),
            seen: Arc::default(),
            open: watch::Sender::new(false),
            url: format!("http://{}", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route(wire::TOKEN_PATH, post(grant))
            .route(wire::ANALYZE_PATH, post(analyze))
            .with_state(provider.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        provider
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn sees(&self, submissions: usize) -> Vec<String> {
        eventually("submissions", async || {
            Some(self.seen()).filter(|seen| seen.len() >= submissions)
        })
        .await
    }
}

/// The access token names the secret it was granted for.
async fn grant(State(provider): State<Rotating>, headers: HeaderMap) -> Response {
    let secret = *provider.secret.lock().unwrap();
    let expected = format!("Basic {}", STANDARD.encode(format!("app:{secret}")));
    if headers[header::AUTHORIZATION] != *expected {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" })))
            .into_response();
    }
    let token = if secret == "canary-old" { "old" } else { "new" };
    Json(json!({ "access_token": token, "token_type": "bearer", "expires_in": 3600 }))
        .into_response()
}

async fn analyze(State(provider): State<Rotating>, headers: HeaderMap) -> Response {
    let bearer = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    let number = {
        let mut seen = provider.seen.lock().unwrap();
        seen.push(bearer);
        seen.len()
    };
    if number == 1 {
        provider.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
    (StatusCode::ACCEPTED, Json(json!({ "jobId": format!("rc-{number}") }))).into_response()
}

/// Waits until the log has `count` lines with this message; returns the last one.
async fn logged(process: &Process, message: &str, count: usize) -> Value {
    eventually(message, async || {
        let mut lines = process.log().into_iter().filter(|line| line["msg"] == message);
        lines.nth(count - 1)
    })
    .await
}

#[tokio::test]
async fn rotated_credentials_are_used_for_new_submissions_and_disturb_none() {
    let db = TestDb::new().await;
    let provider = Rotating::start().await;
    let home = Home::on(&db)
        .set("AFTERCALL__PROVIDER__BASE_URL", &provider.url)
        .set("AFTERCALL__PROVIDER__CLIENT_ID", "app")
        .set("AFTERCALL__PROVIDER__JWT", "canary-jwt")
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "http://127.0.0.1:9");
    let secret = home.path().join("client_secret");
    fs::write(&secret, "canary-old\n").unwrap();
    let home = home.set("AFTERCALL__PROVIDER__CLIENT_SECRET_FILE", secret.display().to_string());
    let service = Service::start(&home).await;
    let recording = json!({ "contentUri": "https://media.example/1.wav" });
    let first = service.submit(recording.clone()).await;
    assert_eq!(provider.sees(1).await, ["Bearer old"]);

    *provider.secret.lock().unwrap() = "canary-new";
    fs::write(&secret, "canary-new\n").unwrap();
    service.process.signal(Signal::SIGHUP);
    let told = logged(&service.process, RELOADED, 1).await;
    assert_eq!(told["settings"], "provider.client_secret");
    let second = service.submit(recording).await;
    assert_eq!(provider.sees(2).await, ["Bearer old", "Bearer new"]);
    service.job_when(&second, |job| job["state"] == "submitted").await;
    assert_eq!(service.get(&format!("/v1/jobs/{first}")).await["state"], "submitting");
    provider.open.send_replace(true);
    service.job_when(&first, |job| job["state"] == "submitted").await;
    assert_eq!(provider.seen().len(), 2, "one submission each");

    fs::remove_file(&secret).unwrap();
    service.process.signal(Signal::SIGHUP);
    let told = logged(&service.process, REFUSED, 1).await;
    assert!(told["error"].as_str().unwrap().contains("client_secret"), "{told}");
    let third = service.submit(json!({ "contentUri": "https://media.example/3.wav" })).await;
    assert_eq!(provider.sees(3).await[2], "Bearer new");
    service.job_when(&third, |job| job["state"] == "submitted").await;

    let ended = service.stop().await;
    let log = ended.out.clone() + &ended.err;
    ended.success();
    assert!(!log.contains("canary"), "a credential in the log");
}

#[tokio::test]
async fn new_credentials_end_a_rejection_at_once() {
    let db = TestDb::new().await;
    let provider = Rotating::start().await;
    provider.open.send_replace(true);
    let home = Home::on(&db)
        .set("AFTERCALL__PROVIDER__BASE_URL", &provider.url)
        .set("AFTERCALL__PROVIDER__CLIENT_ID", "app")
        .set("AFTERCALL__PROVIDER__JWT", "jwt")
        .set("AFTERCALL__PROVIDER__GATE__PROBE", "10h")
        .set("AFTERCALL__DISPATCH__POLL_INTERVAL", "50ms")
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "http://127.0.0.1:9");
    let secret = home.path().join("client_secret");
    fs::write(&secret, "wrong").unwrap();
    let home = home.set("AFTERCALL__PROVIDER__CLIENT_SECRET_FILE", secret.display().to_string());
    let service = Service::start(&home).await;
    let id = service.submit(json!({ "contentUri": "https://media.example/1.wav" })).await;
    let rejected =
        "select count(*) = 1 from aftercall.jobs where state = 'queued' and error is not null";
    eventually("the rejection", async || {
        let is_so: bool = sqlx::query_scalar(rejected).fetch_one(&db.pool).await.unwrap();
        is_so.then_some(())
    })
    .await;
    sqlx::query("update aftercall.jobs set due_at = now()").execute(&db.pool).await.unwrap();

    fs::write(&secret, "canary-old").unwrap();
    service.process.signal(Signal::SIGHUP);
    service.job_when(&id, |job| job["state"] == "submitted").await;
    service.stop().await.success();
}

/// As operators see them.
async fn settings_in_use(home: &Home, service: &Service) -> Value {
    let key = home.run(&["keys", "create", "ops", "--scope", "admin:read"]).await.success();
    let request = service.http.get(format!("{}/v1/admin/config", service.api));
    request.bearer_auth(key.trim()).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn the_log_filter_is_replaced_and_other_changes_are_named() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let file = home.path().join("my.toml");
    fs::write(&file, "[dispatch]\nconcurrency = 4\n").unwrap();
    let arguments = ["serve", "--config", file.to_str().unwrap()];
    let service = Service::of(home.start(arguments)).await;

    fs::write(&file, "[dispatch]\nconcurrency = 5\n[log]\nfilter = \"aftercall=debug\"\n").unwrap();
    service.process.signal(Signal::SIGHUP);
    assert_eq!(logged(&service.process, RELOADED, 1).await["settings"], "log.filter");
    let told = logged(&service.process, "changed settings need a restart", 1).await;
    assert_eq!(told["settings"], "dispatch.concurrency");
    let in_use = settings_in_use(&home, &service).await;
    let value = |name: &str| {
        let mut all = in_use["data"].as_array().unwrap().iter();
        all.find(|it| it["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value("log.filter"), "aftercall=debug");
    assert_eq!(value("dispatch.concurrency"), "4");

    for broken in ["[dispatch]\nconcurency = 5\n", "[log]\nfilter = \"a=b=c\"\n", "not toml"] {
        fs::write(&file, broken).unwrap();
        let before = service.process.log().iter().filter(|line| line["msg"] == REFUSED).count();
        service.process.signal(Signal::SIGHUP);
        let told = logged(&service.process, REFUSED, before + 1).await;
        assert_eq!(told["level"], "error");
    }
    fs::write(&file, "[log]\nfilter = \"error\"\n").unwrap();
    service.process.signal(Signal::SIGHUP);
    let quiet = service.process.log().len();
    // Not logged any more; a response shows that the process has not ended.
    eventually("silence", async || {
        let before = service.process.log().len();
        service.http.get(format!("{}/nowhere", service.api)).send().await.unwrap();
        (service.process.log().len() == before).then_some(())
    })
    .await;
    assert!(quiet > 0);
    service.stop().await.success();
}

#[tokio::test]
async fn rust_log_takes_precedence_and_the_log_says_so() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("RUST_LOG", "info");
    let file = home.path().join("my.toml");
    fs::write(&file, "").unwrap();
    let arguments = ["serve", "--config", file.to_str().unwrap()];
    let service = Service::of(home.start(arguments)).await;
    fs::write(&file, "[log]\nfilter = \"error\"\n").unwrap();
    service.process.signal(Signal::SIGHUP);
    logged(&service.process, "log.filter has no effect, because RUST_LOG is set", 1).await;
    logged(&service.process, RELOADED, 1).await;
    service.stop().await.success();
}

#[tokio::test]
async fn a_new_database_password_is_used_for_new_connections() {
    let home = Home::new();
    let folder = home.path().join("elsewhere");
    let cluster = embedded::start(&folder).await;
    cluster.create_database(DATABASE).await.unwrap();
    let admin = cluster.connect_options(DATABASE);
    let mut db = PgConnection::connect_with(&admin).await.unwrap();
    let role = "create role app login superuser password 'canary-first'";
    sqlx::raw_sql(role).execute(&mut db).await.unwrap();
    let rules = format!("local all {} trust\nlocal all all scram-sha-256\n", admin.get_username());
    fs::write(data(&folder).unwrap().join("pg_hba.conf"), rules).unwrap();
    sqlx::raw_sql("select pg_reload_conf()").execute(&mut db).await.unwrap();

    let url = admin.clone().username("app").to_url_lossy();
    let password = home.path().join("password");
    fs::write(&password, "canary-first").unwrap();
    let home = home
        .set("DATABASE_URL", url)
        .set("AFTERCALL__DATABASE__PASSWORD_FILE", password.display().to_string());
    let service = Service::start(&home).await;
    service.get("/v1/jobs").await;

    fs::write(&password, "canary-second").unwrap();
    service.process.signal(Signal::SIGHUP);
    let told = logged(&service.process, REFUSED, 1).await;
    assert!(told["error"].as_str().unwrap().contains("new database password"), "{told}");

    let rotate = "alter role app password 'canary-second'";
    sqlx::raw_sql(rotate).execute(&mut db).await.unwrap();
    service.process.signal(Signal::SIGHUP);
    assert_eq!(logged(&service.process, RELOADED, 1).await["settings"], "database.password");
    let sessions = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'";
    sqlx::raw_sql(sessions).execute(&mut db).await.unwrap();
    eventually("connections with the new password", async || {
        let ready = service.status(&format!("{}/readyz", service.ops)).await;
        ready.is_success().then_some(())
    })
    .await;
    service.get("/v1/jobs").await;
    let ended = service.stop().await;
    let log = ended.out.clone() + &ended.err;
    ended.success();
    assert!(!log.contains("canary"), "a password in the log");
    cluster.stop().await;
}
