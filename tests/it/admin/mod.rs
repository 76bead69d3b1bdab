//! Operators look at what was delivered, whosever job it is about.
mod drift;

use aftercall::callers::{self, KeyTerms, Scope};
use axum::http::{Request, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{answer::Answer, app::TestApp, fixture};

const BOTH: &[Scope] = &[Scope::AdminRead, Scope::AdminWrite];

/// Somebody with a key of their own who has no jobs.
struct Operator<'a> {
    app: &'a TestApp,
    bearer: String,
}

impl<'a> Operator<'a> {
    async fn new(app: &'a TestApp, scopes: &[Scope]) -> Self {
        let terms = KeyTerms { scopes, ..KeyTerms::default() };
        let key = callers::create(&app.db.pool, "operator", "test", terms).await.unwrap();
        Self { app, bearer: format!("Bearer {}", key.text.expose_secret()) }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::AUTHORIZATION, &self.bearer);
        self.app.send(request, body.to_string()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null).await
    }
}

/// Ids of a page of deliveries.
fn ids(page: &Value) -> Vec<Uuid> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn every_operation_asks_for_its_scope() {
    let app = TestApp::start().await;
    let (nobody, reader) = (Operator::new(&app, &[]).await, Operator::new(&app, BOTH).await);
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let paths: Vec<_> = paths.filter(|(path, _)| path.starts_with("/v1/admin/")).collect();
    assert!(!paths.is_empty());
    for (path, operations) in paths {
        let path = path.replace("{id}", &Uuid::nil().to_string());
        for method in operations.as_object().unwrap().keys() {
            let needed = if method == "get" { "admin:read" } else { "admin:write" };
            let method = method.to_uppercase();
            let refused = nobody.send(&method, &path, &json!({})).await;
            let problem = refused.problem(403, "missing-scope");
            assert!(problem["detail"].as_str().unwrap().contains(needed), "{method} {path}");
            let allowed = reader.send(&method, &path, &json!({})).await.status;
            assert_ne!(allowed, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_key_has_the_scopes_it_was_made_with_and_no_other() {
    let app = TestApp::start().await;
    let path = "/v1/admin/deliveries";
    let reader = Operator::new(&app, &[Scope::AdminRead]).await;
    assert_eq!(reader.get(path).await.status, StatusCode::OK);
    let writer = Operator::new(&app, &[Scope::AdminWrite]).await;
    writer.get(path).await.problem(403, "missing-scope");
    app.get(path).await.problem(403, "missing-scope");
    let unknown = "update aftercall.api_keys set scopes = '{admin:everything}'";
    let refused = sqlx::query(unknown).execute(&app.db.pool).await.unwrap_err().to_string();
    assert!(refused.contains("api_keys_scopes_known"), "{refused}");
}

#[tokio::test]
async fn deliveries_of_all_callers_are_listed_newest_first() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, BOTH).await;
    let (first, second) = (app.submitted().await, app.submitted().await);
    for (job, body) in [(&second, "{"), (&first, "{"), (&second, &fixture("seed/success.json"))] {
        app.deliver(&job.webhook, body.to_owned()).await;
    }
    let all = reader.get("/v1/admin/deliveries").await.json();
    let newest = json!({
        "id": all["data"][0]["id"], "jobId": second.id, "caller": "app", "attempt": 1,
        "via": "webhook", "outcome": "accepted", "reason": null,
        "headers": { "content-type": "application/json" },
        "bodyBytes": fixture("seed/success.json").len(),
        "bodySha256": all["data"][0]["bodySha256"], "receivedAt": all["data"][0]["receivedAt"],
    });
    assert_eq!(all["data"][0], newest);
    assert_eq!(all["data"][0]["bodySha256"].as_str().unwrap().len(), 64);
    let ids_of_all = ids(&all);
    for (query, expected) in [
        ("?outcome=malformed".to_owned(), &ids_of_all[1..]),
        ("?outcome=accepted&outcome=late".to_owned(), &ids_of_all[..1]),
        (format!("?jobId={}", first.id), &ids_of_all[1..2]),
        ("?limit=2".to_owned(), &ids_of_all[..2]),
    ] {
        let page = reader.get(&format!("/v1/admin/deliveries{query}")).await.json();
        assert_eq!(ids(&page), expected, "{query}");
    }
}
