//! Sessions: what a cookie is good for, and each reason for which it is refused.
use aftercall::{
    api::Session,
    callers::{self, KeyTerms, Scope},
    seal::{Keys, Place},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use reqwest::header;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Browser, Said, job};
use crate::support::app::{SEAL_KEY, TestApp};

async fn now(app: &TestApp) -> DateTime<Utc> {
    sqlx::query_scalar("select now()").fetch_one(&app.db.pool).await.unwrap()
}

/// A cookie for the key of `app` that was made `ago` as an interval of Postgres.
async fn made(app: &TestApp, ago: &'static str) -> String {
    let since = sqlx::query_scalar("select now() - $1::text::interval").bind(ago);
    let since = since.fetch_one(&app.db.pool).await.unwrap();
    Session { key: app.key.as_str().into(), since, looks_at: None }.seal(app.seal())
}

#[tokio::test]
async fn a_key_becomes_a_session_that_sees_what_the_key_does() {
    let app = TestApp::start().await;
    let id = app.submit().await.to_string();
    let mut browser = Browser::at(&app);
    let said = browser.sign_in(&format!(" {}\n", app.key)).await;
    assert_eq!((said.status, said.header("cache-control")), (200, "no-store"));
    let set = said.header("set-cookie").to_owned();
    let attributes = set.split_once("; ").unwrap().1;
    assert_eq!(attributes, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    assert!(!set.contains(&app.key[3..]), "{set}");

    let shown = browser.get("/console/session").await;
    assert_eq!((shown.status, shown.header("cache-control")), (200, "no-store"));
    let session = shown.json();
    assert_eq!(session, said.json());
    let expires_at: DateTime<Utc> = session["expiresAt"].as_str().unwrap().parse().unwrap();
    assert!(((expires_at - now(&app).await).num_minutes() - 12 * 60).abs() <= 2, "{session}");
    let expected = json!({
        "caller": "app", "ownCaller": "app", "keyName": "test",
        "scopes": ["jobs:write", "jobs:read", "transcript:read", "search:read", "stats:read"],
        "expiresAt": session["expiresAt"], "readOnly": false, "environment": "dev",
        "version": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(session, expected);

    let jobs = browser.get("/v1/jobs").await;
    assert_eq!(jobs.json()["data"][0]["id"], id);
    assert!(jobs.header("ratelimit").starts_with("\"default\";r="), "charged to the key");
    browser.get("/v1/admin/callers").await.problem(403, "missing-scope");
    let others = Browser::at(&app);
    others.get("/v1/jobs").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_session_ends_with_its_key_at_the_latest() {
    let app = TestApp::start().await;
    let terms =
        KeyTerms { lifetime: Some(std::time::Duration::from_hours(1)), ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, "app", "short", terms).await.unwrap();
    let mut browser = Browser::at(&app);
    let said = browser.sign_in(key.text.expose_secret()).await;
    let set = said.header("set-cookie");
    let (_, rest) = set.split_once("Max-Age=").unwrap();
    let seconds: u32 = rest.split(';').next().unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&seconds), "{set}");
    let expires_at: DateTime<Utc> = said.json()["expiresAt"].as_str().unwrap().parse().unwrap();
    assert!((expires_at - now(&app).await).num_minutes() <= 60);
    sqlx::query("update aftercall.api_keys set expires_at = now() where name = 'short'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    browser.get("/console/session").await.problem(401, "unauthorized");
    browser.get("/v1/jobs").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_session_ends_when_its_key_is_revoked() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app).await;
    let id = app.key.split('_').nth(1).unwrap();
    assert!(callers::revoke(&app.db.pool, id).await.unwrap());
    let problem = browser.get("/v1/jobs").await.problem(401, "unauthorized");
    assert!(problem["detail"].as_str().unwrap().contains("sign in again"), "{problem}");
    browser.get("/console/session").await.problem(401, "unauthorized");
    browser.look_at_refused(401, "unauthorized").await;
}

impl Browser {
    async fn look_at_refused(&self, status: u16, code: &str) -> Value {
        let said = self.send("PATCH", "/console/session", &json!({ "caller": "app" })).await;
        assert!(said.cookie().is_none());
        said.problem(status, code)
    }
}

#[tokio::test]
async fn an_old_cookie_is_refused() {
    let app = TestApp::start().await;
    let mut browser = Browser::at(&app);
    browser.cookie = made(&app, "11 hours 59 minutes").await;
    assert_eq!(browser.get("/v1/jobs").await.status, 200);
    assert_eq!(browser.get("/console/session").await.status, 200);
    browser.cookie = made(&app, "12 hours").await;
    browser.get("/v1/jobs").await.problem(401, "unauthorized");
    browser.get("/console/session").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_cookie_that_was_tampered_with_is_refused() {
    let app = TestApp::start().await;
    let mut browser = Browser::signed_in(&app).await;
    let sealed = URL_SAFE_NO_PAD.decode(&browser.cookie).unwrap();
    for at in [0, 1, 3, 10, sealed.len() / 2, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        browser.cookie = URL_SAFE_NO_PAD.encode(changed);
        browser.get("/v1/jobs").await.problem(401, "unauthorized");
        browser.get("/console/session").await.problem(401, "unauthorized");
    }
    for nonsense in ["", "x", "not base64!", &app.key, &URL_SAFE_NO_PAD.encode(&app.key)] {
        nonsense.clone_into(&mut browser.cookie);
        browser.get("/v1/jobs").await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn what_was_sealed_for_another_purpose_is_no_session() {
    let app = TestApp::start().await;
    let mut browser = Browser::signed_in(&app).await;
    let own = Session::open(app.seal(), &browser.cookie).unwrap();
    let content = json!({ "key": app.key, "since": own.since, "looksAt": null }).to_string();
    let sealed = |table, row| {
        let sealed = app.seal().seal(Place { table, row }, content.as_bytes());
        URL_SAFE_NO_PAD.encode(sealed)
    };
    browser.cookie = sealed("console session", Uuid::nil());
    assert_eq!(browser.get("/v1/jobs").await.status, 200, "the same content in its own place");
    for (table, row) in [("jobs", Uuid::nil()), ("console session", Uuid::from_u128(1))] {
        browser.cookie = sealed(table, row);
        browser.get("/v1/jobs").await.problem(401, "unauthorized");
        browser.get("/console/session").await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_change_needs_the_header_of_the_console() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app).await;
    let without = browser.request("POST", "/v1/jobs").json(&job());
    let said = Said::of(without.send().await.unwrap()).await;
    said.problem(403, "console-header-missing");
    let wrong = browser.request("POST", "/v1/jobs").header("aftercall-console", "yes").json(&job());
    Said::of(wrong.send().await.unwrap()).await.problem(403, "console-header-missing");
    for (method, path) in [
        ("DELETE", "/v1/media/0199f0c2-a4b8-7c3e-9a4d-5e6f70819203"),
        ("PUT", "/v1/jobs/0199f0c2-a4b8-7c3e-9a4d-5e6f70819203/speakers"),
        ("PATCH", "/console/session"),
        ("DELETE", "/console/session"),
    ] {
        let request = browser.request(method, path).json(&json!({}));
        Said::of(request.send().await.unwrap()).await.problem(403, "console-header-missing");
    }
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 0);
    assert_eq!(browser.submit().await.status, 202);
    let by_key = browser.request("POST", "/v1/jobs").bearer_auth(&app.key).json(&job());
    assert_eq!(by_key.send().await.unwrap().status(), 202, "a key needs no header");
    let by_wrong_key = browser.request("GET", "/v1/jobs").bearer_auth("ac_0_0");
    let said = Said::of(by_wrong_key.send().await.unwrap()).await;
    said.problem(401, "unauthorized");
}

#[tokio::test]
async fn signing_in_needs_a_small_json_body_with_a_valid_key() {
    let app = TestApp::start().await;
    let mut browser = Browser::at(&app);
    let problem = browser.sign_in("ac_0123456789abcdef_unknown").await.problem(401, "unauthorized");
    assert!(problem["detail"].as_str().unwrap().contains("unknown, revoked or expired"));
    browser.sign_in("").await.problem(401, "unauthorized");
    let long = json!({ "key": "x".repeat(5000) });
    for body in [json!({}), json!({ "key": 1 }), json!([]), json!({ "key": "a", "b": 1 }), long] {
        let said = browser.send("POST", "/console/session", &body).await;
        said.problem(422, "validation-failed");
    }
    let form = [("key", app.key.as_str())];
    let form = browser.http.post(format!("{}/console/session", browser.base)).form(&form);
    Said::of(form.send().await.unwrap()).await.problem(415, "not-json");
    let broken =
        browser.request("POST", "/console/session").body(format!("{{\"key\": \"{}", app.key));
    let broken = broken.header(header::CONTENT_TYPE, "application/json");
    let said = Said::of(broken.send().await.unwrap()).await;
    said.problem(400, "malformed-body");
    assert!(!said.text().contains(&app.key));
    assert!(browser.cookie.is_empty());
}

#[tokio::test]
async fn signing_in_is_limited_like_any_request() {
    let app = TestApp::with(|settings| {
        settings.keys.unknown_keys = 3;
        settings.keys.rate_limit = 4;
        settings.keys.rate_window = std::time::Duration::from_hours(1);
    })
    .await;
    let mut browser = Browser::at(&app);
    for _ in 0..2 {
        browser.sign_in("ac_0123456789abcdef_unknown").await.problem(401, "unauthorized");
    }
    browser.cookie = "x".to_owned();
    browser.get("/console/session").await.problem(401, "unauthorized");
    let said = browser.sign_in("ac_0123456789abcdef_unknown").await;
    said.problem(429, "rate-limited");
    assert!(said.header("retry-after").parse::<u32>().unwrap() > 0);
    browser.get("/v1/jobs").await.problem(429, "rate-limited");
    assert_eq!(browser.sign_in(&app.key).await.status, 200, "a valid key is found all the same");
    assert_eq!(browser.get("/console/session").await.status, 200);
    assert_eq!(browser.get("/v1/jobs").await.status, 200);
    assert_eq!(browser.sign_in(&app.key).await.status, 200);
    browser.get("/v1/jobs").await.problem(429, "rate-limited");
    let said = browser.sign_in(&app.key).await;
    said.problem(429, "rate-limited");
    assert!(said.cookie().is_none());
}

#[tokio::test]
async fn a_read_only_console_changes_nothing() {
    let app = TestApp::with(|settings| settings.console.read_only = true).await;
    let browser = Browser::signed_in(&app).await;
    assert_eq!(browser.get("/console/session").await.json()["readOnly"], true);
    assert_eq!(browser.get("/v1/jobs").await.status, 200);
    browser.submit().await.problem(403, "read-only");
    let without = browser.request("POST", "/v1/jobs").json(&job());
    let said = Said::of(without.send().await.unwrap()).await;
    said.problem(403, "console-header-missing");
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 0);
    let by_key = browser.request("POST", "/v1/jobs").bearer_auth(&app.key).json(&job());
    assert_eq!(by_key.send().await.unwrap().status(), 202, "only sessions are read-only");
    let out = browser.send("DELETE", "/console/session", &Value::Null).await;
    assert_eq!(out.status, 204);
}

#[tokio::test]
async fn signing_out_deletes_the_cookie() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app).await;
    let said = browser.send("DELETE", "/console/session", &Value::Null).await;
    assert_eq!((said.status, said.cookie().as_deref()), (204, Some("")));
    assert!(said.header("set-cookie").contains("; Max-Age=0; "), "{said:?}");
}

#[tokio::test]
async fn a_cookie_for_https_is_sent_nowhere_else() {
    let public = "https://aftercall.example/";
    let app = TestApp::with(|s| s.api.public_url = Some(public.parse().unwrap())).await;
    let said = Browser::at(&app).sign_in(&app.key).await;
    assert!(said.header("set-cookie").ends_with("; HttpOnly; SameSite=Strict; Secure"), "{said:?}");
}

#[tokio::test]
async fn every_process_takes_a_session_for_as_long_as_it_has_the_key_that_sealed_it() {
    let app = TestApp::start().await;
    let here = Browser::signed_in(&app).await;
    let elsewhere = Browser::of(&app, app.another_api().await);
    let elsewhere = Browser { cookie: here.cookie.clone(), ..elsewhere };
    assert_eq!(elsewhere.get("/v1/jobs").await.status, 200);
    let new = Keys::new_line("new").unwrap().to_string();
    app.seal().clone().replace(Keys::parse(&format!("{new}{SEAL_KEY}")).unwrap());
    assert_eq!(here.get("/console/session").await.status, 200, "the old key still opens");
    let renewed = Browser::signed_in(&app).await;
    app.seal().clone().replace(Keys::parse(&new).unwrap());
    here.get("/console/session").await.problem(401, "unauthorized");
    assert_eq!(renewed.get("/console/session").await.status, 200);
}

#[tokio::test]
async fn scopes_are_those_of_the_key() {
    let app = TestApp::start().await;
    let reader = Browser::with_scopes(&app, &[Scope::JobsRead]).await;
    assert_eq!(reader.get("/v1/jobs").await.status, 200);
    let problem = reader.submit().await.problem(403, "missing-scope");
    assert!(problem["detail"].as_str().unwrap().contains("jobs:write"), "{problem}");
    reader.get("/v1/search?q=refund").await.problem(403, "missing-scope");
}
