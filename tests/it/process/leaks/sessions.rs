//! The same for sessions of browsers.
use aftercall::{
    api::{Session, session::COOKIE},
    http::hex,
};
use reqwest::{Method, redirect::Policy};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{
    super::{Home, Service, console::sign_in_link},
    CANARY, assert_has_none, dumped, key_for, scraped, stored,
};
use crate::support::{app::seal, db::TestDb, otlp::Collector};

/// Uses the console with a link and with a key, well and badly; returns what it says, and the secrets.
async fn console(service: &Service, link: &str) -> (String, Vec<String>) {
    let mut said = String::new();
    let mut cookies = vec!["canary-cookie".to_owned()];
    let page = format!("{}/console/session", service.api);
    let key = json!({ "key": service.key });
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let started = [http.get(link), http.post(&page).json(&key)];
    for request in started {
        let response = request.send().await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        cookies.push(cookie.split(['=', ';']).nth(1).unwrap().to_owned());
        said += &response.text().await.unwrap();
    }
    for cookie in &cookies {
        let cookie = format!("{COOKIE}={cookie}");
        for path in ["/console/session", "/v1/jobs", "/v1/admin/callers", "/v1/nothing"] {
            let request = service.http.get(format!("{}{path}", service.api));
            let response = request.header("cookie", &cookie).send().await.unwrap();
            said += &response.text().await.unwrap();
        }
        for (method, path) in [(Method::POST, "/v1/jobs"), (Method::PATCH, "/console/session")] {
            let request = service.http.request(method, format!("{}{path}", service.api));
            let request = request.header("cookie", &cookie).header("aftercall-console", "1");
            let response = request.json(&json!({ "caller": "ops" })).send().await.unwrap();
            said += &response.text().await.unwrap();
        }
    }
    for path in [link.to_owned(), format!("{}/console/sign-in?code=canary", service.api)] {
        said += &service.http.get(path).send().await.unwrap().text().await.unwrap();
    }
    let wrong = service.http.post(&page).json(&json!({ "key": "ac_canary_key" }));
    said += &wrong.send().await.unwrap().text().await.unwrap();
    let opened = cookies[1..].iter().map(|cookie| Session::open(&seal(), cookie).unwrap());
    let keys: Vec<_> = opened.map(|session| session.key.expose_secret().to_owned()).collect();
    (said, [cookies, keys].concat())
}

#[tokio::test]
async fn a_browser_is_the_only_one_who_is_told_of_its_session() {
    let db = TestDb::new().await;
    let collector = Collector::start().await;
    let home = Home::on(&db)
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)
        .set("RUST_LOG", "trace");
    let mut service = Service::without_key(&home).await;
    service.key = key_for(&home, "ops", "admin:read").await;
    let link = sign_in_link(&service.process).await;
    let (said, mut secrets) = console(&service, &link).await;
    let code = link.split_once("code=").unwrap().1.to_owned();
    secrets.extend([CANARY.to_owned(), code.clone()]);
    let metrics = scraped(&service).await;
    let ended = service.stop().await;
    // The one place where the link must be: the lines for whoever started the service.
    assert_eq!(ended.err.matches(&code).count(), 1, "{}", ended.err);
    let log = ended.out.clone() + &ended.err.replacen(&code, "", 1);
    ended.success();
    assert!(log.contains("\"route\":\"/console/sign-in\""), "{log}");
    let (stored, dump) = (stored(&db.pool).await, dumped(&db).await);
    let exported: String = (collector.exports().iter())
        .map(|(_, body)| String::from_utf8_lossy(body).into_owned())
        .collect();
    let places = [
        ("log", &log),
        ("API", &said),
        ("rows", &stored),
        ("dump", &dump),
        ("spans", &exported),
        ("metrics", &metrics),
    ];
    for (place, text) in places {
        assert_has_none(place, text, secrets.iter().map(String::as_str));
    }
    let encoded: Vec<String> = secrets.iter().map(|secret| hex(secret.as_bytes())).collect();
    assert_has_none("dump", &dump, encoded.iter().map(String::as_str));
}
