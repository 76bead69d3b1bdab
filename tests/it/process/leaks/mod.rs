//! The process's output contains no secrets, whatever goes wrong and at any log level.
mod sessions;

use std::{collections::BTreeSet, fs, process::Command};

use aftercall::{db::LoginRole, http::hex};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgPool};

use super::{Home, SAMPLE, Service, backup::postgres};
use crate::support::{db::TestDb, otlp::Collector};

/// Prefix of every secret used here.
const CANARY: &str = "canary";

/// Columns that people and dashboards read.
const TOLD: &[&str] = &[
    "select coalesce(string_agg(e::text, ' '), '') from aftercall.job_events e",
    "select coalesce(string_agg(a::text, ' '), '') from aftercall.attempts a",
    "select coalesce(string_agg(concat(error, state, external_id, request), ' '), '') from aftercall.jobs",
    "select coalesce(string_agg(concat(headers, reason), ' '), '') from aftercall.deliveries",
    "select coalesce(string_agg(k::text, ' '), '') from aftercall.api_keys k",
    "select coalesce(string_agg(e::text, ' '), '') from aftercall.endpoints e",
    "select coalesce(string_agg(encode(url_sealed || secret || previous_secret, 'escape'), ' '), '')
        from aftercall.endpoints",
];

/// A recording URL with credentials in every possible place.
fn secret_uri(recording: &str, query: &str) -> String {
    let with_user = recording.replacen("http://", "http://canary-user:canary-pass@", 1);
    format!("{with_user}?signature=canary-query{query}#canary-fragment")
}

/// Runs jobs that end well and badly; returns everything the API says about them.
async fn jobs(service: &Service) -> String {
    let nowhere = service.recording.replacen("support-call", "nothing-here", 1);
    let mut uris = vec![
        secret_uri(&service.recording, ""),
        secret_uri(&nowhere, ""),
        secret_uri("http://127.0.0.1:9/a.wav", ""),
    ];
    for fault in
        ["fail", "quote", "unauthorized", "broken", "reset", "malformed", "lost", "duplicate"]
    {
        uris.push(secret_uri(&service.recording, &format!("&sandbox-faults={fault}")));
    }
    let mut ids = Vec::new();
    for uri in uris {
        ids.push(service.submit(json!({ "contentUri": uri })).await);
    }
    let (_, media) = service.upload(fs::read(SAMPLE).unwrap()).await;
    let private = json!({ "media": media["id"] });
    let (_, job) = service.send(Method::POST, "/v1/jobs", Some(&private)).await;
    ids.push(job["id"].as_str().unwrap().to_owned());
    let mut said = String::new();
    for id in ids {
        service.finished(&id).await;
        for part in ["", "/timeline", "/result"] {
            let path = format!("/v1/jobs/{id}{part}");
            said += &service.send(Method::GET, &path, None).await.1.to_string();
        }
    }
    said + &service.get("/v1/jobs?limit=200").await.to_string()
}

/// Creates, tests and changes an endpoint whose URL has credentials; returns what the API says, and the secrets.
async fn endpoint(service: &Service, key: &str) -> (String, Vec<String>) {
    let ask = async |path: &str, body: Value| {
        let request = service.http.post(format!("{}{path}", service.api)).bearer_auth(key);
        let response = request.json(&body).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    };
    let url = |place: &str| {
        format!("http://canary-user:canary-pass@{place}/livez?key=canary-query#canary-fragment")
    };
    let here = service.ops.replacen("http://", "", 1);
    let mut told = vec![ask("/v1/endpoints", json!({ "url": url(&here) })).await];
    let path = format!("/v1/endpoints/{}", told[0]["id"].as_str().unwrap());
    told.push(ask(&format!("{path}/rotate"), json!({})).await);
    told.push(ask(&format!("{path}/test"), json!({})).await);
    assert_eq!(told[2]["status"], 405, "{told:?}");
    for place in ["127.0.0.1:9", "127.0.0.9", "nowhere.invalid"] {
        told.push(ask("/v1/notify/test", json!({ "url": url(place) })).await);
    }
    let wrong = json!({ "url": "http://canary-user:canary-pass@:1/", "secret": "whsec_canary" });
    told.push(ask("/v1/endpoints", wrong).await);
    let secrets = told.iter_mut().filter_map(|told| told.as_object_mut()?.remove("secret"));
    let secrets: Vec<_> = secrets.map(|secret| secret.as_str().unwrap()[6..].to_owned()).collect();
    assert_eq!(secrets.len(), 2);
    (Value::from(told).to_string(), secrets)
}

/// What operators are told about the settings and what is stored.
async fn looked_at(service: &Service, key: &str) -> String {
    let mut all = String::new();
    for path in ["/v1/admin/config", "/v1/admin/storage", "/v1/admin/overview"] {
        let request = service.http.get(format!("{}{path}", service.api)).bearer_auth(key);
        all += &request.send().await.unwrap().text().await.unwrap();
    }
    assert!(all.contains("(set, not shown)"), "{all}");
    all
}

/// The tokens of all URLs of this kind that the provider got, from the sandbox's ledger, which only its owner can read.
fn tokens(home: &Home, path: &str) -> BTreeSet<String> {
    let ledger = fs::read_to_string(home.data().join("sandbox.jsonl")).unwrap();
    let rest = ledger.split(path).skip(1);
    let names = rest.filter_map(|rest| rest.split(['"', '?']).next());
    names.filter(|name| name.len() == 64).map(str::to_owned).collect()
}

/// Sends invalid requests.
async fn nonsense(service: &Service, token: &str) -> String {
    let (hooks, api) = (format!("{}/webhooks", service.webhook), &service.api);
    let unknown_token = format!("{hooks}/{CANARY}{}", "x".repeat(58));
    service.http.post(unknown_token).body("{}").send().await.unwrap();
    let body = format!("{{\"status\": \"{CANARY}-body\", ");
    service.http.post(format!("{hooks}/{token}")).body(body).send().await.unwrap();
    let wrong =
        service.http.get(format!("{api}/v1/jobs?status={CANARY}")).bearer_auth("ac_canary_x");
    let mut said = wrong.send().await.unwrap().text().await.unwrap();
    let broken = service.http.post(format!("{api}/v1/jobs")).bearer_auth(&service.key);
    let broken = broken.header("content-type", "application/json");
    let broken = broken.body(format!("{{\"contentUri\": \"{CANARY}-json"));
    said += &broken.send().await.unwrap().text().await.unwrap();
    let path = format!("{api}/{CANARY}/path?q={CANARY}");
    service.http.get(path).header("x-request-id", "canary id").send().await.unwrap();
    said
}

async fn stored(db: &PgPool) -> String {
    let mut all = String::new();
    for statement in TOLD {
        let text: String = sqlx::query_scalar(*statement).fetch_one(db).await.unwrap();
        all += &text;
    }
    all
}

/// Everything that dashboards can read.
async fn reported(db: &TestDb) -> String {
    let views: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.views where table_schema = 'reporting'",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap();
    assert!(views.len() > 20, "{views:?}");
    let mut all = String::new();
    for view in views {
        let rows = format!("select coalesce(string_agg(v::text, ' '), '') from reporting.{view} v");
        let rows = sqlx::AssertSqlSafe(rows);
        all += &sqlx::query_scalar::<_, String>(rows).fetch_one(&db.pool).await.unwrap();
    }
    all
}

/// A dump of the database, as a backup has it; binary columns are in hexadecimal.
async fn dumped(db: &TestDb) -> String {
    let mut url = db.connect_options().to_url_lossy();
    // Only libpq's own parameters.
    let parameters: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(name, _)| name == "host").collect();
    url.query_pairs_mut().clear().extend_pairs(parameters);
    let mut dump = Command::new(postgres("pg_dump"));
    dump.args(["--dbname", url.as_str()]);
    let done = tokio::task::spawn_blocking(move || dump.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// What the commands print with which people look at the service.
async fn checked(home: &Home) -> String {
    let mut all = String::new();
    for command in [&["doctor"][..], &["doctor", "--json"], &["status"], &["status", "--json"]] {
        let ended = home.run(command).await;
        all += &(ended.out + &ended.err);
    }
    all
}

async fn scraped(service: &Service) -> String {
    let response = service.http.get(format!("{}/metrics", service.ops)).send().await.unwrap();
    response.text().await.unwrap()
}

/// Whether a bucket of a histogram names the trace of an observation.
fn has_exemplar(metrics: &str, name: &str) -> bool {
    let mut lines = metrics.lines().filter(|line| line.starts_with(&format!("{name}_bucket")));
    lines.any(|line| line.contains("# {trace_id=\""))
}

fn assert_has_none<'a>(place: &str, text: &str, secrets: impl Iterator<Item = &'a str>) {
    assert!(text.len() > 100, "{place} is empty");
    for secret in secrets {
        let at = text
            .find(secret)
            .map(|at| text[at.saturating_sub(200)..(at + 80).min(text.len())].to_owned());
        assert_eq!(at, None, "{secret} in {place}");
    }
}

/// A key with one scope.
async fn key_for(home: &Home, caller: &str, scope: &str) -> String {
    let made = home.run(&["keys", "create", caller, "--scope", scope]).await;
    made.success().trim().to_owned()
}

/// A service with a secret in every setting that may hold one.
fn secretive(db: &TestDb, collector: &Collector) -> Home {
    let url = db.options_of(LoginRole::Runtime).password("canary-database").to_url_lossy();
    Home::new()
        .set("DATABASE_URL", url)
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)
        .set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-header")
        .set("OTEL_BSP_MAX_QUEUE_SIZE", "100000")
        .set("AFTERCALL__SANDBOX__CLIENT_SECRET", "canary-client")
        .set("AFTERCALL__SANDBOX__JWT", "canary-jwt")
        .set("AFTERCALL__RECONCILE__AFTER", "1s")
        .set("AFTERCALL__RECONCILE__INTERVAL", "100ms")
        .set("AFTERCALL__DISPATCH__BACKOFF", "100ms")
        .set("AFTERCALL__NOTIFY__ALLOW", "127.0.0.1")
}

#[tokio::test]
async fn no_secret_is_told_at_any_log_level() {
    let db = TestDb::new().await;
    let collector = Collector::start().await;
    let home = secretive(&db, &collector);
    let key = home.key("tester").await;
    let for_endpoints = key_for(&home, "tester", "notify:write").await;
    let for_operators = key_for(&home, "ops", "admin:read").await;
    let home = home.set("RUST_LOG", "trace");
    let mut service = Service::without_key(&home).await;
    service.key = key;
    let said = jobs(&service).await + &looked_at(&service, &for_operators).await;
    let (webhooks, media) = (tokens(&home, "/webhooks/"), tokens(&home, "/media/"));
    assert!(webhooks.len() >= 10 && media.len() == 1, "{webhooks:?} {media:?}");
    let refused = nonsense(&service, webhooks.first().unwrap()).await;
    let (notified, signing) = endpoint(&service, &for_endpoints).await;

    let metrics = scraped(&service).await;
    for traced in ["http_server_request_duration_seconds", "aftercall_callback_commit_seconds"] {
        assert!(has_exemplar(&metrics, traced), "{traced} names no trace");
    }
    let key = service.key.clone();
    let ended = service.stop().await;
    let log = ended.out.clone() + &ended.err;
    ended.success();
    let config = home.run(&["config", "print"]).await.success();
    let checked = checked(&home).await;
    let stored = stored(&db.pool).await;
    let reported = reported(&db).await;
    let dump = dumped(&db).await;
    assert!(dump.contains(&hex(b"utteranceInsights")), "the dump has what is not secret");
    let exports = collector.exports();
    let exported: String =
        exports.iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
    let places = [
        ("log", &log),
        ("API", &said),
        ("API", &refused),
        ("API", &notified),
        ("config", &config),
        ("commands", &checked),
        ("rows", &stored),
        ("dump", &dump),
        ("views", &reported),
        ("spans", &exported),
        ("metrics", &metrics),
    ];
    // Everything that must be nowhere; whoever adds a secret adds it here.
    let mut secrets: Vec<String> = webhooks.into_iter().chain(media).collect();
    secrets.extend([CANARY.to_owned(), key, for_endpoints, for_operators]);
    secrets.extend(signing);
    for (place, text) in places {
        assert_has_none(place, text, secrets.iter().map(String::as_str));
    }
    let encoded: Vec<String> = secrets.iter().map(|secret| hex(secret.as_bytes())).collect();
    assert_has_none("dump", &dump, encoded.iter().map(String::as_str));
    assert!(!log.contains("sandbox-faults="), "the query of a URL in the log");
    assert!(!exported.contains("sandbox-faults="), "the query of a URL in a span");
    let spans = collector.spans();
    for name in ["POST /v1/jobs", "POST /webhooks/{token}", "provider submit", "poll", "commit"] {
        assert!(spans.iter().any(|span| span.name == name), "no span {name}");
    }
    assert!(spans.iter().all(|span| span.events == 0));
    assert_others_are_quiet(&log);
}

#[tokio::test]
async fn no_key_is_told_beyond_the_response_that_shows_it() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("RUST_LOG", "trace");
    let mut service = Service::without_key(&home).await;
    let scopes = ["--scope", "admin:read", "--scope", "admin:write"];
    let made = home.run(&[&["keys", "create", "ops"], &scopes[..]].concat()).await;
    made.out.trim().clone_into(&mut service.key);
    let mut log = made.err;
    let create = json!({ "caller": "crm" });
    let (_, old) = service.send(Method::POST, "/v1/admin/keys", Some(&create)).await;
    let path = format!("/v1/admin/keys/{}", old["id"].as_str().unwrap());
    let (_, new) = service.send(Method::POST, &format!("{path}/roll"), Some(&json!({}))).await;
    let mut said = service.send(Method::POST, &format!("{path}/roll"), None).await.1.to_string();
    service.send(Method::DELETE, &path, None).await;
    let operator = service.key.clone();
    for key in [&old, &new] {
        key["key"].as_str().unwrap().clone_into(&mut service.key);
        said += &service.send(Method::GET, "/v1/jobs/unknown", None).await.1.to_string();
    }
    service.key.clone_from(&operator);
    said += &service.get("/v1/admin/keys").await.to_string();
    said += &home.run(&["keys", "list"]).await.success();
    let metrics = scraped(&service).await;
    let keys = [&old, &new].map(|key| key["key"].as_str().unwrap().to_owned());
    let ended = service.stop().await;
    log += &(ended.out + &ended.err);
    let stored = stored(&db.pool).await;
    for (place, text) in [("log", &log), ("API", &said), ("metrics", &metrics), ("rows", &stored)] {
        let keys = keys.iter().chain([&operator]);
        assert_has_none(place, text, keys.map(|key| key.splitn(3, '_').last().unwrap()));
    }
}

fn assert_others_are_quiet(log: &str) {
    // What other crates log below this level is up to them and varies by version.
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let is_ours = line["target"].as_str().unwrap().starts_with("aftercall");
        let level = line["level"].as_str().unwrap();
        assert!(is_ours || matches!(level, "info" | "warn" | "error"), "{line}");
    }
}
