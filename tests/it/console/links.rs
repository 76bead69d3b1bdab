//! One-time links: each signs in once, soon, and with a key of its own.
use std::time::Duration;

use aftercall::{
    callers::{self, KeyTerms, Scope},
    console::{Entrance, Link},
};
use chrono::{DateTime, Utc};
use clap::ValueEnum as _;
use secrecy::ExposeSecret as _;
use url::Url;

use super::{Browser, Said};
use crate::support::app::TestApp;

/// The path of a new link.
fn link(app: &TestApp, browser: &Browser, link: Link) -> String {
    let base = Url::parse(&browser.base).unwrap();
    let url = Entrance::new(&base, app.links().clone()).one_time_url(link);
    url.strip_prefix(&browser.base).unwrap().to_owned()
}

async fn keys(app: &TestApp) -> i64 {
    app.count("select count(*) from aftercall.api_keys").await
}

#[track_caller]
fn assert_is_sign_in_page(said: &Said) {
    assert_eq!((said.status, said.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(said.cookie().is_none(), "{said:?}");
}

#[tokio::test]
async fn a_link_signs_in_once_with_a_key_of_its_own() {
    let app = TestApp::start().await;
    let mut browser = Browser::at(&app);
    let path = link(&app, &browser, Link::default());
    assert_eq!(keys(&app).await, 1, "the key of the test");
    let said = browser.get(&path).await;
    assert_eq!((said.status, said.header("location")), (303, "/console/"));
    assert_eq!(said.header("cache-control"), "no-store");
    assert!(said.header("set-cookie").ends_with("; HttpOnly; SameSite=Strict"), "{said:?}");
    browser.cookie = said.cookie().unwrap();
    let session = browser.get("/console/session").await.json();
    assert_eq!(session["ownCaller"], "app", "the caller of the newest key");
    assert_eq!(session["keyName"], "one-time link to the console");
    let scopes = session["scopes"].as_array().unwrap().len();
    assert_eq!(scopes, Scope::value_variants().len());
    assert_eq!(browser.submit().await.status, 202);

    assert_is_sign_in_page(&browser.get(&path).await);
    assert_eq!(keys(&app).await, 2);
    let lives = app.count(
        "select extract(epoch from expires_at - now())::int8 from aftercall.api_keys where expires_at is not null",
    );
    assert!((60..=43_200).contains(&lives.await));
}

#[tokio::test]
async fn the_key_of_a_link_lives_no_longer_than_a_day() {
    let app = TestApp::with(|settings| settings.console.session = Duration::from_hours(100)).await;
    let mut browser = Browser::at(&app);
    let said = browser.get(&link(&app, &browser, Link::default())).await;
    browser.cookie = said.cookie().unwrap();
    let session = browser.get("/console/session").await.json();
    let expires_at: DateTime<Utc> = session["expiresAt"].as_str().unwrap().parse().unwrap();
    let now: DateTime<Utc> =
        sqlx::query_scalar("select now()").fetch_one(&app.db.pool).await.unwrap();
    assert!((expires_at - now).num_hours() <= 24, "{session}");
}

#[tokio::test]
async fn a_link_may_name_its_caller_and_its_page() {
    let app = TestApp::start().await;
    callers::create(&app.db.pool, "crm", "test", KeyTerms::default()).await.unwrap();
    let mut browser = Browser::at(&app);
    let page = "/console/jobs/0199f0c2-a4b8-7c3e-9a4d-5e6f70819203";
    let to = Link { caller: Some("app".to_owned()), page: page.to_owned() };
    let said = browser.get(&link(&app, &browser, to)).await;
    assert_eq!((said.status, said.header("location")), (303, page));
    browser.cookie = said.cookie().unwrap();
    assert_eq!(browser.get("/console/session").await.json()["caller"], "app");
}

#[tokio::test]
async fn a_service_without_keys_gets_a_caller() {
    let app = TestApp::start().await;
    sqlx::query("delete from aftercall.api_keys").execute(&app.db.pool).await.unwrap();
    let mut browser = Browser::at(&app);
    let said = browser.get(&link(&app, &browser, Link::default())).await;
    browser.cookie = said.cookie().unwrap();
    assert_eq!(browser.get("/console/session").await.json()["caller"], "dev");
}

#[tokio::test]
async fn a_code_that_is_too_old_or_none_shows_the_page_for_signing_in() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let late = app.links().issue(Link::default(), Duration::ZERO);
    for code in [late.expose_secret(), "", "nonsense", "%ff%00"] {
        assert_is_sign_in_page(&browser.get(&format!("/console/sign-in?code={code}")).await);
    }
    assert_is_sign_in_page(&browser.get("/console/sign-in").await);
    assert_eq!(keys(&app).await, 1);
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it_up() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let path = link(&app, &browser, Link::default());
    let head = Said::of(browser.request("HEAD", &path).send().await.unwrap()).await;
    assert!(head.status == 200 && head.cookie().is_none(), "{head:?}");
    assert_eq!(browser.get(&path).await.status, 303);
}

#[tokio::test]
async fn guessing_codes_is_limited_like_guessing_keys() {
    let app = TestApp::with(|settings| settings.keys.unknown_keys = 3).await;
    let browser = Browser::at(&app);
    for _ in 0..3 {
        assert_is_sign_in_page(&browser.get("/console/sign-in?code=guess").await);
    }
    browser.get("/console/sign-in?code=guess").await.problem(429, "rate-limited");
    assert_is_sign_in_page(&browser.get("/console/sign-in").await);
    assert_eq!(browser.get(&link(&app, &browser, Link::default())).await.status, 303);
}
