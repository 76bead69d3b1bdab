//! The links that `serve` and `demo` print for whoever starts them.
use nix::sys::signal::Signal;
use reqwest::{header, redirect::Policy};
use serde_json::Value;

use super::{Home, Process, Service};
use crate::support::{db::TestDb, eventually};

/// The link that a running `serve` has printed for people.
pub async fn sign_in_link(process: &Process) -> String {
    eventually("the link", async || link_in(&process.err())).await
}

fn link_in(text: &str) -> Option<String> {
    let mut whole_lines = text.rsplit_once('\n')?.0.lines().map(str::trim);
    whole_lines.find(|line| line.contains("/console/sign-in?code=")).map(str::to_owned)
}

/// Opens the link; returns where it leads, and the cookie.
async fn opened(link: &str) -> (String, String) {
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let response = http.get(link).send().await.unwrap();
    assert_eq!(response.status(), 303, "{link}");
    let header = |name| response.headers()[name].to_str().unwrap().to_owned();
    let cookie = header(header::SET_COOKIE).split(';').next().unwrap().to_owned();
    (header(header::LOCATION), cookie)
}

async fn get(url: &str, cookie: &str) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http.get(url).header(header::COOKIE, cookie).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn serve_prints_a_link_in_dev_and_nowhere_else() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    let link = sign_in_link(&service.process).await;
    assert!(link.starts_with(&format!("{}/console/sign-in?code=", service.api)), "{link}");
    let (page, cookie) = opened(&link).await;
    assert_eq!(page, "/console/");
    let (status, session) = get(&format!("{}/console/session", service.api), &cookie).await;
    assert_eq!((status, &session["caller"]), (200, &"tester".into()), "{session}");
    service.stop().await.success();

    for (name, value) in [("AFTERCALL_ENV", "staging"), ("AFTERCALL__CONSOLE__ENABLED", "false")] {
        let home = Home::on(&db).set(name, value);
        let service = Service::without_key(&home).await;
        let ended = service.stop().await;
        assert!(!ended.err.contains("/console/"), "{}", ended.err);
        ended.success();
    }
}

#[tokio::test]
async fn the_demo_ends_with_a_link_to_its_call() {
    let home = Home::new();
    let mut demo = home.start(["demo"]);
    let out = eventually("the last line of the demo", async || {
        let is_over = demo.has_ended();
        let out = demo.out();
        (is_over || out.contains("Still serving")).then_some(out)
    })
    .await;
    let link = link_in(&out).unwrap_or_else(|| panic!("no link:\n{out}{}", demo.err()));
    let (base, _) = link.split_once("/console/").unwrap();
    assert!(out.contains(&format!("  console   {base}/console/\n")), "{out}");
    let (page, cookie) = opened(&link).await;
    let id = page.strip_prefix("/console/jobs/").unwrap();
    let (status, job) = get(&format!("{base}/v1/jobs/{id}"), &cookie).await;
    assert_eq!((status, &job["externalId"]), (200, &"demo-support-call".into()), "{job}");
    // There is something to listen to.
    let sound = format!("{base}/v1/media/{}", job["media"].as_str().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http.get(sound).header(header::COOKIE, cookie).send().await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "audio/wav");
    demo.signal(Signal::SIGTERM);
    demo.ended().await.success();
}
