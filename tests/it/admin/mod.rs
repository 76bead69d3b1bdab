//! Operators inspect deliveries of all callers and have them reparsed.
mod drift;
mod keys;
mod limits;
mod look;
mod overview;
mod provider;
mod quarantine;
mod replays;
mod timestamps;

use aftercall::callers::{self, KeyTerms, Scope};
use axum::http::{Request, StatusCode, header};
use clap::ValueEnum as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{
    answer::Answer,
    app::{Submitted, TestApp},
    db::TestDb,
};

const OPERATOR: &[Scope] = &[Scope::AdminRead, Scope::AdminWrite, Scope::TranscriptRaw];

/// An operator with a key and no jobs.
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

/// A delivery that an earlier parser could not read and the current one can.
pub async fn once_unreadable(app: &TestApp, job: &Submitted, body: &str) -> Uuid {
    app.deliver(&job.webhook, "{".to_owned()).await;
    let statement = "update aftercall.deliveries
        set body = convert_to($2, 'UTF8'), body_sha = sha256(convert_to($2, 'UTF8')),
            body_bytes = octet_length($2), body_sealed = false
        where job_id = $1 and body_sha = sha256('{') returning id";
    let query = sqlx::query_scalar(statement).bind(job.id).bind(body);
    query.fetch_one(&app.db.pool).await.unwrap()
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
async fn the_table_of_keys_takes_each_scope_and_no_other() {
    let db = TestDb::new().await;
    for scope in Scope::value_variants() {
        let terms = KeyTerms { scopes: &[*scope], ..KeyTerms::default() };
        callers::create(&db.pool, "operator", scope.name(), terms).await.unwrap();
    }
    let other = "update aftercall.api_keys set scopes = array['admin:everything']";
    let error = sqlx::query(other).execute(&db.pool).await.unwrap_err();
    let error = error.into_database_error().unwrap();
    assert_eq!(error.constraint(), Some("api_keys_scopes_known"));
}
