//! Rate limits: each key has its own, and each address that sends requests without a valid key.
use std::{net::SocketAddr, time::Duration};

use aftercall::callers::{self, KeyTerms, Replicas};
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::support::{answer::Answer, app::TestApp, eventually};

const STRANGER: &str = "Bearer ac_0123456789abcdef_unknown";

async fn limited() -> TestApp {
    TestApp::with(|settings| {
        settings.keys.rate_limit = 30;
        settings.keys.rate_window = Duration::from_hours(1);
        settings.keys.unknown_keys = 3;
    })
    .await
}

async fn key(app: &TestApp, name: &str, terms: KeyTerms<'_>) -> String {
    let key = callers::create(&app.db.pool, "app", name, terms).await.unwrap();
    format!("Bearer {}", key.text.expose_secret())
}

async fn get(api: &Router, authorization: &str, path: &str) -> Answer {
    from(api, authorization, path, "192.0.2.1:1000").await
}

async fn from(api: &Router, authorization: &str, path: &str, address: &str) -> Answer {
    let mut request = Request::get(path).header(header::AUTHORIZATION, authorization);
    let address: SocketAddr = address.parse().unwrap();
    request.extensions_mut().unwrap().insert(ConnectInfo(address));
    Answer::of(api, request.body(Body::empty()).unwrap()).await
}

/// `r` of the response.
fn remaining(answer: &Answer) -> u32 {
    let (_, rest) = answer.header("ratelimit").split_once(";r=").unwrap();
    rest.split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_response_says_what_is_left_and_one_too_many_is_rejected() {
    let app = limited().await;
    for left in (0..30).rev() {
        let answer = app.get("/v1/jobs").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=30;w=3600"#);
        assert_eq!(remaining(&answer), left);
    }
    let refused = app.get("/v1/jobs").await;
    let problem = refused.problem(429, "rate-limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").starts_with(r#""default";r=0;t="#), "{refused:?}");
    assert_eq!(problem["detail"], format!("more than 30 requests per 1h; try again in {wait} s"));
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 0);
    let body = json!({ "contentUri": "https://media.example/1.wav", "encoding": "Wav" });
    app.post("/v1/jobs", &body).await.problem(429, "rate-limited");
    app.get("/v1/nothing").await.problem(429, "rate-limited");
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 0);
    let other = key(&app, "other", KeyTerms::default()).await;
    assert_eq!(
        remaining(&get(&app.api, &other, "/v1/jobs").await),
        29,
        "each key has its own limit"
    );
    let scraped = app.metrics.encode().unwrap().unwrap();
    assert!(scraped.contains("aftercall_rate_limited_total{caller=\"app\"} 3"), "{scraped}");
}

#[tokio::test]
async fn failures_have_the_fields_as_well() {
    let app = limited().await;
    let lacking = key(&app, "lacking", KeyTerms { scopes: &[], ..KeyTerms::default() }).await;
    let plain = key(&app, "plain", KeyTerms::default()).await;
    for (key, path, status) in [
        (&lacking, "/v1/jobs", 403),
        (&lacking, "/v1/nothing", 404),
        (&plain, "/v1/jobs?limit=0", 400),
        (&plain, "/v1/jobs/0", 400),
    ] {
        let answer = get(&app.api, key, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.header("ratelimit").starts_with(r#""default";r="#), "{path}");
    }
    let no_method = app.ask(app.request("DELETE", "/v1/jobs")).await;
    no_method.problem(405, "method-not-allowed");
    assert_eq!(remaining(&no_method), 29);
    let nobody = Answer::of(&app.api, Request::get("/v1/x").body(Body::empty()).unwrap()).await;
    nobody.problem(404, "no-such-route");
    assert_eq!(nobody.header("ratelimit"), r#""unknown-keys";r=3;t=0"#);
    let docs = get(&app.api, "", "/docs/errors").await;
    assert!(docs.status == 200 && !docs.headers.contains_key("ratelimit"), "{docs:?}");
}

#[tokio::test]
async fn heavy_requests_count_as_several_and_a_key_may_have_a_rate_of_its_own() {
    let app = limited().await;
    assert_eq!(remaining(&app.get("/v1/search?q=refund").await), 25);
    assert_eq!(remaining(&app.get("/v1/stats/jobs").await), 20);
    let head = app.request("HEAD", "/v1/exports/jobs.ndjson");
    assert_eq!(remaining(&app.ask(head).await), 0, "as heavy as GET");
    let slow = KeyTerms { rate: Some(2), ..KeyTerms::default() };
    let slow = key(&app, "slow", slow).await;
    let first = get(&app.api, &slow, "/v1/jobs").await;
    assert_eq!(first.header("ratelimit-policy"), r#""default";q=2;w=3600"#);
    get(&app.api, &slow, "/v1/search?q=refund").await.problem(429, "rate-limited");
    assert_eq!(get(&app.api, &slow, "/v1/jobs").await.status, 200);
    get(&app.api, &slow, "/v1/jobs").await.problem(429, "rate-limited");
}

#[tokio::test]
async fn unknown_keys_are_limited_by_address_and_turn_no_valid_key_away() {
    let app = limited().await;
    for left in (0..3).rev() {
        let refused = get(&app.api, STRANGER, "/v1/jobs").await;
        refused.problem(401, "unauthorized");
        assert_eq!(refused.header("ratelimit-policy"), r#""unknown-keys";q=3;w=60"#);
        assert_eq!(remaining(&refused), left);
    }
    for authorization in [STRANGER, "Bearer nonsense", ""] {
        let refused = get(&app.api, authorization, "/v1/jobs").await;
        refused.problem(429, "rate-limited");
        assert_eq!(refused.header("retry-after"), "20");
    }
    // The key has not been seen before, so it is looked up in the middle of the flood.
    let valid = key(&app, "valid", KeyTerms::default()).await;
    assert_eq!(get(&app.api, &valid, "/v1/jobs").await.status, 200);
    let elsewhere = from(&app.api, STRANGER, "/v1/jobs", "192.0.2.2:1000").await;
    elsewhere.problem(401, "unauthorized");
    for (address, status) in [("[2001:db8::1]:1", 401), ("[2001:db8::2]:1", 401)] {
        assert_eq!(from(&app.api, STRANGER, "/v1/jobs", address).await.status, status);
    }
    let same_64 = from(&app.api, STRANGER, "/v1/jobs", "[2001:db8::3]:1").await;
    assert_eq!(remaining(&same_64), 0);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_takes_one_connection() {
    let app = limited().await;
    for _ in 0..3 {
        get(&app.api, STRANGER, "/v1/jobs").await.problem(401, "unauthorized");
    }
    let mut lock = app.db.pool.begin().await.unwrap();
    sqlx::query("lock table aftercall.api_keys").execute(&mut *lock).await.unwrap();
    let ask = |address: &'static str| {
        let api = app.api.clone();
        tokio::spawn(async move { from(&api, STRANGER, "/v1/jobs", address).await })
    };
    let waiting = async || {
        let query = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(query).fetch_one(&app.db.pool).await.unwrap()
    };
    let flood: Vec<_> = (0..50).map(|_| ask("192.0.2.1:1000")).collect();
    let one = async || (waiting().await == 1).then_some(());
    eventually("one of the flood is looked up", one).await;
    let elsewhere = ask("192.0.2.2:1000");
    let two = async || (waiting().await == 2).then_some(());
    eventually("another address is looked up beside it", two).await;
    lock.rollback().await.unwrap();
    elsewhere.await.unwrap().problem(401, "unauthorized");
    for refused in flood {
        refused.await.unwrap().problem(429, "rate-limited");
    }
}

#[tokio::test]
async fn a_process_enforces_its_part_of_the_limit() {
    let app = limited().await;
    let (one, other) = (Replicas::default(), Replicas::default());
    let counts = async || {
        one.look(&app.db.runtime).await.unwrap();
        other.look(&app.db.runtime).await.unwrap();
        [one.count(), other.count()]
    };
    assert_eq!(counts().await, [1, 2]);
    assert_eq!(counts().await, [2, 2]);
    sqlx::query("update aftercall.api_replicas set seen_at = now() - interval '30 seconds'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    assert_eq!(counts().await, [1, 2], "a process that is not seen for a while has ended");
    sqlx::query("update aftercall.api_replicas set seen_at = now() - interval '2 minutes'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    one.look(&app.db.runtime).await.unwrap();
    assert_eq!(app.count("select count(*) from aftercall.api_replicas").await, 1);

    app.replicas.look(&app.db.runtime).await.unwrap();
    let answer = app.get("/v1/jobs").await;
    assert_eq!(answer.header("ratelimit-policy"), r#""default";q=30;w=3600"#);
    assert_eq!(remaining(&answer), 14, "half of the limit, for two processes");
}

#[tokio::test]
async fn a_process_that_ends_leaves_its_part_to_the_others() {
    let app = limited().await;
    let leaving = Replicas::default();
    let running = tokio::spawn(leaving.run(app.db.runtime.clone(), app.draining.clone()));
    let seen = async || {
        let count = app.count("select count(*) from aftercall.api_replicas").await;
        (count == 1).then_some(())
    };
    eventually("the process is recorded", seen).await;
    app.draining.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(app.count("select count(*) from aftercall.api_replicas").await, 0);
}
