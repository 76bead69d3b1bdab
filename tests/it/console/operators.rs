//! Operators look at the data of other callers, and change it only with `admin:write`.
use aftercall::callers::{self, KeyTerms, Scope};
use clap::ValueEnum as _;
use serde_json::json;

use super::{Browser, Said, job};
use crate::support::app::TestApp;

const READER: &[Scope] = &[Scope::JobsRead, Scope::JobsWrite, Scope::AdminRead];

/// With another caller that has a key.
async fn with_crm() -> TestApp {
    let app = TestApp::start().await;
    callers::create(&app.db.pool, "crm", "test", KeyTerms::default()).await.unwrap();
    app
}

#[tokio::test]
async fn an_operator_sees_what_another_caller_sees() {
    let app = with_crm().await;
    let own = app.submit().await;
    let mut browser = Browser::with_scopes(&app, READER).await;
    let session = browser.get("/console/session").await.json();
    assert_eq!(session["callers"], json!(["app", "crm"]));
    assert_eq!(browser.get(&format!("/v1/jobs/{own}")).await.status, 200);

    let said = browser.look_at("crm").await;
    assert_eq!(said.status, 200);
    let looking = said.json();
    let mut expected = session.clone();
    expected["caller"] = "crm".into();
    assert_eq!(looking, expected, "no longer, and with the same key");
    assert_eq!(browser.get("/console/session").await.json(), looking);
    browser.get(&format!("/v1/jobs/{own}")).await.problem(404, "job-not-found");
    assert_eq!(browser.get("/v1/jobs").await.json()["data"], json!([]));

    assert_eq!(browser.look_at("app").await.json(), session);
    assert_eq!(browser.get(&format!("/v1/jobs/{own}")).await.status, 200);
}

#[tokio::test]
async fn without_admin_read_nobody_looks_at_others() {
    let app = with_crm().await;
    let mut browser = Browser::signed_in(&app).await;
    let before = browser.cookie.clone();
    let problem = browser.look_at("crm").await.problem(403, "missing-scope");
    assert!(problem["detail"].as_str().unwrap().contains("admin:read"), "{problem}");
    assert_eq!(browser.cookie, before);
    assert_eq!(browser.get("/console/session").await.json()["caller"], "app");
    // The scopes of the key count at each request, whatever the cookie says.
    let mut operator = Browser::with_scopes(&app, READER).await;
    operator.look_at("crm").await;
    assert_eq!(operator.get("/console/session").await.json()["caller"], "crm");
    sqlx::query(
        "update aftercall.api_keys set scopes = '{jobs:read}' where name = 'for the console'",
    )
    .execute(&app.db.pool)
    .await
    .unwrap();
    operator.get("/console/session").await.problem(401, "unauthorized");
    operator.get("/v1/jobs").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_caller_that_does_not_exist_cannot_be_looked_at() {
    let app = with_crm().await;
    let mut browser = Browser::with_scopes(&app, READER).await;
    let before = browser.cookie.clone();
    browser.look_at("nobody").await.problem(404, "caller-not-found");
    assert_eq!(browser.cookie, before);
    let wrong = browser.send("PATCH", "/console/session", &json!({ "name": "crm" })).await;
    wrong.problem(422, "validation-failed");
}

#[tokio::test]
async fn changing_another_callers_data_needs_admin_write() {
    let app = with_crm().await;
    let mut reader = Browser::with_scopes(&app, READER).await;
    assert_eq!(reader.submit().await.status, 202, "for its own caller");
    reader.look_at("crm").await;
    let problem = reader.submit().await.problem(403, "missing-scope");
    assert!(problem["detail"].as_str().unwrap().contains("admin:write"), "{problem}");

    let mut operator = Browser::with_scopes(&app, Scope::value_variants()).await;
    operator.look_at("crm").await;
    let bare = operator.request("POST", "/v1/jobs").json(&job());
    Said::of(bare.send().await.unwrap()).await.problem(403, "console-header-missing");
    let id = operator.submit().await.json()["id"].as_str().unwrap().to_owned();
    let of_crm = app.count(
        "select count(*) from aftercall.jobs j join aftercall.callers c on c.id = j.caller_id where c.name = 'crm'",
    );
    assert_eq!(of_crm.await, 1);
    assert_eq!(app.get(&format!("/v1/jobs/{id}")).await.status, 404);
}

#[tokio::test]
async fn what_operators_do_is_charged_to_their_own_keys() {
    let app = with_crm().await;
    let terms = KeyTerms { scopes: READER, rate: Some(5), ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, "app", "ops", terms).await.unwrap();
    let mut browser = Browser::at(&app);
    browser.sign_in(secrecy::ExposeSecret::expose_secret(&key.text)).await;
    browser.look_at("crm").await;
    let said = browser.get("/v1/jobs").await;
    assert!(said.header("ratelimit").starts_with("\"default\";r=2;"), "{said:?}");
    for _ in 0..2 {
        assert_eq!(browser.get("/v1/jobs").await.status, 200);
    }
    browser.get("/v1/jobs").await.problem(429, "rate-limited");
    let scraped = app.metrics.encode().unwrap().unwrap();
    assert!(scraped.contains("aftercall_rate_limited_total{caller=\"app\"} 1"), "{scraped}");
}
