//! Creates and lists endpoints.
use std::collections::BTreeSet;

use aftercall::callers::Scope;
use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ENDPOINTS, SCOPES, Stand, key, request};
use crate::support::{answer::Answer, without};

const URL: &str = "https://me:hush@203.0.113.9/hook?token=hush#hush";

#[tokio::test]
async fn an_endpoint_shows_its_secret_once_and_its_credentials_never() {
    let stand = Stand::start().await;
    let created = stand.send("POST", ENDPOINTS, &json!({ "url": URL })).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("cache-control"), "private, no-store");
    let view = created.json();
    let secret = view["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let changing = ["/id", "/secret", "/createdAt", "/updatedAt"];
    insta::assert_json_snapshot!(without(view.clone(), &changing), @r#"
    {
      "id": "…",
      "url": "https://***@203.0.113.9/hook?token=***",
      "events": [
        "job.completed",
        "job.failed",
        "job.timed_out",
        "job.canceled",
        "notify.endpoint.paused"
      ],
      "include": [],
      "description": null,
      "state": "active",
      "pauseReason": null,
      "pausedAt": null,
      "failures": 0,
      "failingSince": null,
      "lastSuccessAt": null,
      "rotatingUntil": null,
      "createdAt": "…",
      "updatedAt": "…",
      "secret": "…"
    }
    "#);
    let path = created.header("location");
    assert_eq!(path, format!("{ENDPOINTS}/{}", created.id()));
    let mut shown = view.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(stand.get(path).await.json(), shown);
    assert_eq!(stand.get(ENDPOINTS).await.json()["data"], json!([shown]));
    let row = "select e::text from aftercall.endpoints e";
    let row: String = sqlx::query_scalar(row).fetch_one(&stand.app.db.pool).await.unwrap();
    assert!(!row.contains("hush") && !row.contains("68757368"), "in text or in hex: {row}");
}

#[tokio::test]
async fn all_faults_come_at_once_and_quote_no_secret() {
    let stand = Stand::start().await;
    let body = json!({
        "url": "ftp://me:hush@crm.example/", "events": ["job.completed", "job.done", 7, "notify.test"],
        "include": ["words"], "description": "x".repeat(501), "secret": "whsec_hush", "urls": [],
    });
    let refused = stand.send("POST", ENDPOINTS, &body).await;
    let faults: BTreeSet<_> = refused.faults().into_iter().collect();
    let expected = [
        "#/url scheme",
        "#/events/1 enum",
        "#/events/2 type",
        "#/events/3 enum",
        "#/include/0 enum",
        "#/description length",
        "#/secret format",
        "#/urls unknown",
    ];
    assert_eq!(faults, expected.map(str::to_owned).into());
    let text = refused.json().to_string();
    assert!(!text.contains("hush") && text.contains("did you mean url?"), "{text}");
    for (body, fault) in [
        (json!({}), "#/url missing"),
        (json!({ "url": null }), "#/url missing"),
        (json!([]), "# type"),
        (json!({ "url": "/hook" }), "#/url format"),
        (json!({ "url": format!("https://203.0.113.9/{}", "x".repeat(2048)) }), "#/url length"),
        (json!({ "url": URL, "events": [] }), "#/events length"),
        (json!({ "url": URL, "events": vec!["job.failed"; 9] }), "#/events length"),
        (json!({ "url": URL, "description": "a\u{0}b" }), "#/description nul"),
        (json!({ "url": URL, "secret": format!("whsec_{}", "A".repeat(28)) }), "#/secret format"),
    ] {
        assert_eq!(stand.send("POST", ENDPOINTS, &body).await.faults(), [fault], "{body}");
    }
    assert_eq!(stand.get(ENDPOINTS).await.json()["data"], json!([]));
}

#[tokio::test]
async fn the_guard_is_asked_and_names_the_setting() {
    let stand = Stand::with(|settings| settings.notify.private_networks = false).await;
    for (url, code, setting) in [
        ("https://169.254.169.254/latest", "address-refused", "notify.allow"),
        ("https://[::ffff:127.0.0.9]/", "address-refused", "notify.allow"),
        ("https://10.0.0.1/", "address-refused", "notify.private_networks"),
        ("http://203.0.113.9/", "https-required", "notify.allow"),
        ("https://nowhere.invalid/", "not-resolved", "nowhere.invalid"),
    ] {
        let refused = stand.send("POST", ENDPOINTS, &json!({ "url": url })).await;
        assert_eq!(refused.faults(), [format!("#/url {code}")], "{url}");
        let detail = refused.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(setting), "{detail}");
        let tested = stand.send("POST", "/v1/notify/test", &json!({ "url": url })).await;
        assert_eq!(tested.faults(), refused.faults());
    }
}

#[tokio::test]
async fn what_is_included_needs_the_right_to_read_it() {
    let stand = Stand::start().await;
    let body = json!({ "url": URL, "include": ["summary"], "events": ["job.completed"] });
    let created = stand.send("POST", ENDPOINTS, &body).await;
    assert_eq!(created.json()["include"], json!(["summary"]));
    assert_eq!(created.json()["events"], json!(["job.completed"]));
    let key = key(&stand.app, "app", &[Scope::NotifyWrite]).await;
    let refused = stand.send_as(&key, "POST", ENDPOINTS, &body).await;
    let problem = refused.problem(403, "missing-scope");
    assert!(problem["detail"].as_str().unwrap().contains("transcript:read"), "{problem}");
    let path = created.header("location");
    let change = json!({ "include": ["summary"] });
    stand.send_as(&key, "PATCH", path, &change).await.problem(403, "missing-scope");
    let changed = stand.send_as(&key, "PATCH", path, &json!({ "include": [] })).await;
    assert_eq!(changed.json()["include"], json!([]));
}

#[tokio::test]
async fn no_caller_has_more_endpoints_than_allowed_however_fast_it_asks() {
    let stand = Stand::with(|settings| settings.notify.endpoints_per_caller = 3).await;
    let body = json!({ "url": URL });
    let answers = join_all((0..8).map(|_| stand.send("POST", ENDPOINTS, &body))).await;
    let created: Vec<_> = answers.iter().filter(|it| it.status == StatusCode::CREATED).collect();
    assert_eq!(created.len(), 3);
    for refused in answers.iter().filter(|it| it.status != StatusCode::CREATED) {
        let problem = refused.problem(409, "endpoint-limit");
        assert!(problem["detail"].as_str().unwrap().contains("notify.endpoints_per_caller"));
    }
    let other = key(&stand.app, "other", SCOPES).await;
    let another = stand.send_as(&other, "POST", ENDPOINTS, &body).await;
    assert_eq!(another.status, StatusCode::CREATED);
    let path = created[0].header("location");
    assert_eq!(stand.send("DELETE", path, &json!({})).await.status, StatusCode::NO_CONTENT);
    stand.endpoint(URL).await;
    stand.send("POST", ENDPOINTS, &body).await.problem(409, "endpoint-limit");
}

#[tokio::test]
async fn endpoints_are_listed_by_age_in_pages_and_only_to_their_caller() {
    let stand = Stand::start().await;
    let mut paths = Vec::new();
    for _ in 0..5 {
        paths.push(stand.endpoint(URL).await.0);
    }
    let (mut seen, mut next) = (Vec::new(), format!("{ENDPOINTS}?limit=2"));
    loop {
        let page = stand.get(&next).await;
        let data = page.json()["data"].as_array().unwrap().clone();
        let ids = data.iter().map(|it| format!("{ENDPOINTS}/{}", it["id"].as_str().unwrap()));
        seen.extend(ids);
        let Some(cursor) = page.json()["nextCursor"].as_str().map(str::to_owned) else { break };
        assert!(page.header("link").ends_with("rel=\"next\""));
        next = format!("{ENDPOINTS}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, paths);
    let other = key(&stand.app, "other", SCOPES).await;
    let foreign = stand.send_as(&other, "GET", ENDPOINTS, &Value::Null).await;
    assert_eq!(foreign.json()["data"], json!([]));
    stand.send_as(&other, "GET", &next, &Value::Null).await.problem(400, "cursor-mismatch");
    for (method, action) in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pause")] {
        let path = format!("{}{action}", paths[0]);
        let answer = stand.send_as(&other, method, &path, &json!({})).await;
        answer.problem(404, "endpoint-not-found");
    }
}

#[tokio::test]
async fn a_repeated_request_creates_one_endpoint_and_gets_its_secret_again() {
    let stand = Stand::start().await;
    let post = |body: &Value| {
        let mut request = request(&stand.key, "POST", ENDPOINTS, body);
        request.headers_mut().insert("idempotency-key", "once".parse().unwrap());
        Answer::of(&stand.app.api, request)
    };
    let body = json!({ "url": URL });
    let answers = join_all((0..4).map(|_| post(&body))).await;
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.json(), answers[0].json());
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    let replayed = answers.iter().filter(|it| it.headers.contains_key("idempotent-replayed"));
    assert_eq!(replayed.count(), 3);
    let stored = "select body from aftercall.idempotency_keys";
    let stored: String = sqlx::query_scalar(stored).fetch_one(&stand.app.db.pool).await.unwrap();
    assert!(stored.contains("203.0.113.9") && !stored.contains("whsec_"), "{stored}");
    post(&json!({ "url": "https://203.0.113.10/" })).await.problem(422, "idempotency-key-reused");
    let path = answers[0].header("location");
    stand.post(&format!("{path}/rotate")).await;
    let later = post(&body).await;
    assert_eq!(later.header("idempotent-replayed"), "true");
    assert_eq!(later.json().get("secret"), None, "it is no longer the one of that response");
}
