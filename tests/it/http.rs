//! What all responses have in common: problems, request ids, health, documentation.
use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aftercall::{
    api::{Code, ConcurrencyLimits, Limits, Operations, RateLimits, layered},
    app,
    callers::{self, KeyTerms, Replicas, Scope},
    config,
    http::{OpsState, ops},
    metrics::Metrics,
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::ValueEnum as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{answer::Answer, app::TestApp};

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn bare(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

fn operators(app: &TestApp) -> Router {
    let (db, started) = (app.db.runtime.clone(), Arc::new(true.into()));
    let state = OpsState::new(db, started, app.draining.clone(), app::takes_submissions);
    ops(state, app.metrics.clone())
}

fn limits(timeout: Duration) -> Limits {
    let settings = config::load(None).unwrap().settings;
    Limits {
        timeout,
        concurrency: ConcurrencyLimits::new(&settings.api, &settings.media),
        rates: RateLimits::new(&settings.keys, Replicas::default()),
        operations: Operations::default().into(),
        metrics: Metrics::default(),
    }
}

#[test]
fn every_problem_code_is_documented_and_no_other() {
    let document = read("docs/errors.md");
    let documented: BTreeSet<_> =
        document.lines().filter_map(|line| line.strip_prefix("## ")).map(str::trim).collect();
    assert_eq!(documented, Code::ALL.iter().map(|code| code.name()).collect());
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let app = TestApp::start().await;
    for path in ["/", "/v1", "/v1/", "/v1/jobs/", "/v2/jobs", "/webhooks/x", "/metrics", "/%ff"] {
        let answer = Answer::of(&app.api, bare("GET", path)).await;
        assert_eq!(answer.problem(404, "no-such-route")["instance"], path);
    }
    let id = app.submit().await;
    for (method, path, allowed) in [
        ("DELETE", "/v1/jobs".to_owned(), &["GET", "HEAD", "POST"][..]),
        ("PUT", format!("/v1/jobs/{id}"), &["GET", "HEAD"]),
        ("POST", format!("/v1/jobs/{id}/result"), &["GET", "HEAD"]),
        ("POST", "/livez".to_owned(), &["GET", "HEAD"]),
    ] {
        let answer = Answer::of(&app.api, bare(method, &path)).await;
        answer.problem(405, "method-not-allowed");
        let mut told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told, allowed, "{path}");
    }
}

#[tokio::test]
async fn problems_repeat_no_more_than_the_beginning_of_a_request() {
    let app = TestApp::start().await;
    let long = "x".repeat(10_000);
    let answer = Answer::of(&app.api, bare("GET", &format!("/{long}"))).await;
    let instance = answer.problem(404, "no-such-route")["instance"].clone();
    assert_eq!(instance, format!("/{}…", &long[..255]));
    let answer = app.ask(app.request("GET", &format!("/v1/jobs?{long}=1"))).await;
    let problem = answer.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["parameter"], format!("{}…", &long[..200]));
    assert!(answer.body.len() < 2000, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn an_id_that_is_none_is_told_in_plain_words() {
    let app = TestApp::start().await;
    for path in ["xyz", "xyz/result", "0199f0c2", "%ff", "xyz/utterances"] {
        let problem = app.get(&format!("/v1/jobs/{path}")).await.problem(400, "invalid-parameter");
        let detail = "the id must be a UUID such as 0199f0c2-a4b8-7c3e-9a4d-5e6f70819203";
        let fault = json!({ "parameter": "path", "code": "format", "detail": detail });
        assert_eq!(problem["errors"], json!([fault]), "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_that_tells_nothing() {
    async fn panicking() {
        panic!("the secret is hush");
    }
    let router = Router::new().route("/panic", get(panicking));
    let router = layered(router, limits(Duration::from_mins(1)));
    let answer = Answer::of(&router, bare("GET", "/panic")).await;
    let problem = answer.problem(500, "internal");
    assert_eq!(problem.get("detail"), None);
    assert!(!String::from_utf8_lossy(&answer.body).contains("hush"));
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_a_problem() {
    let router = Router::new().route("/slow", get(std::future::pending::<()>));
    let router = layered(router, limits(Duration::from_millis(1)));
    Answer::of(&router, bare("GET", "/slow")).await.problem(504, "took-too-long");
}

#[tokio::test]
async fn a_database_that_is_away_is_a_problem_with_a_time_to_try_again() {
    let app = TestApp::start().await;
    app.db.runtime.close().await;
    let answer = app.get("/v1/jobs").await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made() {
    let app = TestApp::start().await;
    for id in ["a", "Trace_1.2-3", &"x".repeat(128)] {
        let answer = app.ask(app.request("GET", "/v1/jobs").header("x-request-id", id)).await;
        assert_eq!(answer.header("x-request-id"), id);
        let answer = app.ask(app.request("GET", "/nowhere").header("x-request-id", id)).await;
        assert_eq!(answer.problem(404, "no-such-route")["requestId"], id);
    }
    let mut made = BTreeSet::new();
    for id in ["", "a b", "a/b", "é", &"x".repeat(129)] {
        let answer = app.ask(app.request("GET", "/v1/jobs").header("x-request-id", id)).await;
        let given = answer.header("x-request-id");
        assert_eq!(given.len(), 32, "{id}");
        assert!(made.insert(given.to_owned()));
    }
    let webhook = Answer::of(&app.webhook, bare("POST", "/webhooks/x")).await;
    assert_eq!(webhook.header("x-request-id").len(), 32);
}

#[tokio::test]
async fn a_service_without_its_database_lives_but_is_not_ready() {
    let app = TestApp::start().await;
    for router in [operators(&app), app.api.clone()] {
        assert_eq!(Answer::of(&router, bare("GET", "/livez")).await.status, StatusCode::OK);
        let ready = Answer::of(&router, bare("GET", "/readyz")).await;
        assert_eq!((ready.status, ready.json()), (StatusCode::OK, json!({ "status": "ok" })));
    }
    app.db.runtime.close().await;
    for router in [operators(&app), app.api.clone()] {
        assert_eq!(Answer::of(&router, bare("GET", "/livez")).await.status, StatusCode::OK);
        let ready = Answer::of(&router, bare("GET", "/readyz")).await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ready.json()["checks"]["database"], "fail");
    }
}

#[tokio::test]
async fn a_service_on_its_way_out_is_not_ready() {
    let app = TestApp::start().await;
    let verbose = Answer::of(&operators(&app), bare("GET", "/readyz?verbose")).await;
    let checks = json!({ "database": "ok", "migrations": "ok", "writes": "ok", "draining": false, "provider": "ok" });
    assert_eq!(verbose.json(), json!({ "status": "ok", "checks": checks }));
    app.draining.cancel();
    let ready = Answer::of(&operators(&app), bare("GET", "/readyz")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["checks"]["draining"], true);
    assert_eq!(app.get("/v1/jobs").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_schema_that_lacks_a_migration_is_not_ready() {
    let app = TestApp::start().await;
    sqlx::query("delete from aftercall.schema_migrations where version = 4")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let ready = Answer::of(&operators(&app), bare("GET", "/readyz")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["checks"]["migrations"], "fail");
}

#[tokio::test]
async fn the_version_is_told_to_operators() {
    let app = TestApp::start().await;
    let version = Answer::of(&operators(&app), bare("GET", "/version")).await.json();
    assert_eq!(version, json!({ "name": "aftercall", "version": env!("CARGO_PKG_VERSION") }));
}

#[tokio::test]
async fn the_documentation_comes_from_here_only() {
    let app = TestApp::start().await;
    let document = Answer::of(&app.api, bare("GET", "/openapi.json")).await;
    assert_eq!(document.json()["openapi"], "3.1.0");
    let pages = ["/docs/", "/docs/index.html", "/docs/swagger-initializer.js", "/docs/index.css"];
    for path in pages {
        let page = Answer::of(&app.api, bare("GET", path)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let text = String::from_utf8_lossy(&page.body);
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}:\n{text}");
    }
    let docs = Answer::of(&app.api, bare("GET", "/docs")).await;
    assert!(docs.status.is_redirection() && docs.header("location").starts_with("/docs/"));
    let errors = Answer::of(&app.api, bare("GET", "/docs/errors")).await;
    assert_eq!(errors.header("content-type"), "text/html; charset=utf-8");
    let page = String::from_utf8_lossy(&errors.body);
    for code in Code::ALL {
        assert!(page.contains(&format!("<h2 id=\"{}\">", code.name())), "{page}");
    }
}

#[tokio::test]
async fn browsers_are_told_how_strictly_to_take_each_answer() {
    let app = TestApp::start().await;
    let pages = ["/docs", "/docs/", "/docs/swagger-ui.css", "/docs/errors", "/openapi.json"];
    for path in pages {
        let page = Answer::of(&app.api, bare("GET", path)).await;
        let policy = page.header("content-security-policy");
        for strict in ["default-src 'none'; ", "base-uri 'none'; ", "frame-ancestors 'none'"] {
            assert!(policy.contains(strict), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
    }
    let errors = Answer::of(&app.api, bare("GET", "/docs/errors")).await;
    let page = String::from_utf8(errors.body.to_vec()).unwrap();
    let (_, style) = page.split_once("<style>").unwrap();
    let (style, rest) = style.split_once("</style>").unwrap();
    let digest = BASE64_STANDARD.encode(Sha256::digest(style));
    let policy = errors.header("content-security-policy");
    assert!(policy.contains(&format!("style-src 'sha256-{digest}';")), "{policy}");
    assert!(!rest.contains("style=") && !rest.contains("<script"), "{rest}");

    let id = app.submit().await;
    for path in [&format!("/v1/jobs/{id}"), "/v1/jobs?zzz", "/nowhere", "/livez", pages[0]] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let health = Answer::of(&operators(&app), bare("GET", "/readyz")).await;
    assert_eq!(health.header("x-content-type-options"), "nosniff");
    let script = Answer::of(&app.api, bare("GET", "/docs/swagger-initializer.js")).await;
    assert!(String::from_utf8_lossy(&script.body).contains("\"persistAuthorization\": false"));
}

#[tokio::test]
async fn the_served_document_names_the_public_address() {
    let public = "https://aftercall.example/base/";
    let app = TestApp::with(|s| s.api.public_url = Some(public.parse().unwrap())).await;
    let document = Answer::of(&app.api, bare("GET", "/openapi.json")).await.json();
    assert_eq!(document["servers"][0]["url"], "https://aftercall.example/base");
}

/// Method and path of every documented operation.
async fn operations(app: &TestApp) -> Vec<(String, String)> {
    let document = Answer::of(&app.api, bare("GET", "/openapi.json")).await.json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 7);
    let of_path = |(path, operations): (&String, &Value)| -> Vec<(String, String)> {
        let path = path.replace("{id}", "00000000-0000-7000-8000-000000000000");
        let methods = operations.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn every_documented_path_exists_and_asks_for_a_key() {
    let app = TestApp::start().await;
    for (method, path) in operations(&app).await {
        let answer = Answer::of(&app.api, bare(&method, &path)).await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header(header::WWW_AUTHENTICATE.as_str()), "Bearer");
    }
}

#[tokio::test]
async fn every_operation_refuses_unknown_parameters() {
    let mut app = TestApp::start().await;
    let terms = KeyTerms { scopes: Scope::value_variants(), ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, "app", "everything", terms).await.unwrap();
    key.text.expose_secret().clone_into(&mut app.key);
    for (method, path) in operations(&app).await {
        let answer = app.ask(app.request(&method, &format!("{path}?zzz=1"))).await;
        let problem = answer.problem(400, "invalid-parameter");
        let faults = problem["errors"].as_array().unwrap();
        assert_eq!(faults.len(), 1, "{method} {path}: {problem}");
        assert_eq!(faults[0]["parameter"], "zzz", "{method} {path}: {problem}");
    }
}
