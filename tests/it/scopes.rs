//! Every operation of the API document, with every scope: what a key may do is what the document says.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use aftercall::callers::{self, KeyTerms, Scope};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use clap::ValueEnum as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::support::{answer::Answer, app::TestApp, fixture};

/// An operation of the document, with a request for it that is valid except for its scopes.
#[derive(Clone)]
struct Operation {
    id: String,
    method: Method,
    path: String,
    scopes: BTreeSet<Scope>,
    query: String,
    content_type: Option<String>,
    body: String,
}

impl Operation {
    fn all() -> Vec<Self> {
        let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, it)| (path, method, it))
        });
        let operations = operations.filter(|(path, ..)| path.starts_with("/v1/"));
        operations.map(|(path, method, it)| Self::read(&document, path, method, it)).collect()
    }

    fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        let scopes = operation["security"][0]["key"].as_array();
        let scopes = scopes.into_iter().flatten().map(|name| {
            let name = name.as_str().unwrap();
            Scope::from_str(name, false).unwrap_or_else(|_| panic!("{id}: no scope {name}"))
        });
        let scopes: BTreeSet<_> = scopes.collect();
        assert!(!scopes.is_empty(), "{id} declares no scope: security((\"key\" = [\"…\"]))");
        let required = operation["parameters"].as_array().into_iter().flatten();
        let required = required.filter(|it| it["in"] == "query" && it["required"] == true);
        let query = required.map(|it| {
            let value = it["example"].as_str().unwrap();
            format!(
                "{}={}",
                it["name"].as_str().unwrap(),
                value.replace(' ', "+").replace('"', "%22")
            )
        });
        let content = operation["requestBody"]["content"].as_object();
        let content = content.and_then(|content| content.iter().next());
        Self {
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            scopes,
            query: query.collect::<Vec<_>>().join("&"),
            content_type: content.map(|(kind, _)| kind.clone()),
            body: content.map(|(_, content)| example(document, content)).unwrap_or_default(),
            id,
        }
    }

    /// The status of the response, and its body if it is a problem: streams and exports are not read.
    async fn ask(&self, app: &TestApp, key: &str, id: Uuid) -> (StatusCode, Value) {
        let named =
            |part: &str| if part.starts_with('{') { id.to_string() } else { part.to_owned() };
        let path = self.path.split('/').map(named).collect::<Vec<_>>().join("/");
        let path = format!("{path}?{}", self.query);
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(path.trim_end_matches('?'))
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header("idempotency-key", Uuid::now_v7().to_string());
        if let Some(kind) = &self.content_type {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(Body::from(self.body.clone())).unwrap();
        let response = Box::pin(app.api.clone().oneshot(request)).await.unwrap();
        let status = response.status();
        if !status.is_client_error() || self.method == Method::HEAD {
            return (status, Value::Null);
        }
        let body = axum::body::to_bytes(Body::new(response), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Also when nothing else about the request is right.
    async fn is_forbidden(&self, app: &TestApp, key: &str, id: Uuid, lacks: &[Scope]) {
        let bare = Self {
            query: "a=b".to_owned(),
            content_type: None,
            body: String::new(),
            ..self.clone()
        };
        assert_eq!(bare.ask(app, key, id).await.0, StatusCode::FORBIDDEN, "{}", self.id);
        let (status, problem) = self.ask(app, key, id).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{} takes a key without {lacks:?}", self.id);
        if self.method != Method::HEAD {
            assert_eq!(problem["code"], "missing-scope");
            let detail = problem["detail"].as_str().unwrap();
            assert!(lacks.iter().any(|it| detail.contains(it.name())), "{}: {detail}", self.id);
        }
    }
}

/// The example of a body, as it is or as its schema has it.
fn example(document: &Value, content: &Value) -> String {
    let places = [content, &content["schema"], &content["schema"]["oneOf"][0]];
    let resolved = places.map(|it| match it["$ref"].as_str() {
        Some(path) => document.pointer(path.trim_start_matches('#')).unwrap(),
        None => it,
    });
    let example =
        resolved.iter().find_map(|it| it.get("example").or_else(|| it["examples"].get(0)));
    example.map_or_else(String::new, Value::to_string)
}

async fn key(app: &TestApp, caller: &str, scopes: &[Scope]) -> String {
    let terms = KeyTerms { scopes, ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, caller, "test", terms).await.unwrap();
    key.text.expose_secret().to_owned()
}

/// A job with a result.
async fn completed(app: &TestApp) -> Uuid {
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    job.id
}

#[tokio::test]
async fn each_operation_takes_the_scopes_it_declares_and_no_others() {
    let app = TestApp::start().await;
    app.feed_events();
    let job = completed(&app).await;
    let scopes = Scope::value_variants();
    let mut single = Vec::new();
    for scope in scopes {
        single.push((*scope, key(&app, "app", &[*scope]).await));
    }
    for operation in Operation::all() {
        let needed: Vec<_> = operation.scopes.iter().copied().collect();
        let id = if operation.path.starts_with("/v1/admin/") { Uuid::nil() } else { job };
        for (scope, key) in &single {
            if needed != [*scope] {
                let lacks: Vec<_> = needed.iter().copied().filter(|it| it != scope).collect();
                operation.is_forbidden(&app, key, id, &lacks).await;
            }
        }
        for lacking in &needed {
            let all_others: Vec<_> = scopes.iter().copied().filter(|it| it != lacking).collect();
            let key = key(&app, "app", &all_others).await;
            operation.is_forbidden(&app, &key, id, &[*lacking]).await;
        }
        let exactly = key(&app, "app", &needed).await;
        let (status, problem) = operation.ask(&app, &exactly, id).await;
        let is_admitted = !matches!(status.as_u16(), 400 | 401 | 403 | 415 | 429 | 500..);
        assert!(is_admitted, "{} with {needed:?}: {status} {problem}", operation.id);
    }
}

/// An object of the caller `app` in this collection.
async fn made(app: &TestApp, key: &str, collection: &str) -> Uuid {
    let request = app.request("POST", collection);
    let wav = "src/sandbox/samples/support-call.wav";
    let (kind, body) = match collection {
        // With a recording that is stored, for its waveform.
        "/v1/jobs" => {
            let media = Box::pin(made(app, key, "/v1/media")).await;
            let id = app.post("/v1/jobs", &json!({ "media": media })).await.id();
            let job = app.dispatched(id).await;
            app.deliver(&job.webhook, fixture("seed/success.json")).await;
            return id;
        }
        "/v1/media" => ("audio/wav", fs::read(wav).unwrap()),
        "/v1/endpoints" => ("application/json", br#"{"url":"http://127.0.0.1:9/"}"#.to_vec()),
        "/v1/notifications" => {
            Box::pin(made(app, key, "/v1/endpoints")).await;
            completed(app).await;
            let newest = "select id from aftercall.notifications order by id desc limit 1";
            return sqlx::query_scalar(newest).fetch_one(&app.db.pool).await.unwrap();
        }
        other => panic!("say here how to make something at {other}"),
    };
    let mut request = request.header(header::CONTENT_TYPE, kind).body(body.into()).unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
    let answer = Answer::of(&app.api, request).await;
    assert!(answer.status.is_success(), "{collection}: {answer:?}");
    answer.id()
}

#[tokio::test]
async fn what_belongs_to_another_caller_does_not_exist() {
    let app = TestApp::start().await;
    let all = Scope::value_variants();
    let (own, foreign) = (key(&app, "app", all).await, key(&app, "other", all).await);
    let mut objects: BTreeMap<String, Uuid> = BTreeMap::new();
    let mut operations = Operation::all();
    operations.retain(|it| it.path.contains('{') && !it.path.starts_with("/v1/admin/"));
    // An object is needed until everything else about it was tried.
    operations.sort_by_key(|it| it.method == Method::DELETE);
    for operation in operations {
        let (collection, rest) = operation.path.split_once("/{").unwrap();
        let id = match objects.get(collection) {
            Some(id) => *id,
            None => made(&app, &own, collection).await,
        };
        objects.insert(collection.to_owned(), id);
        let (status, problem) = operation.ask(&app, &foreign, id).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{}: {problem}", operation.id);
        if !rest.contains('{') {
            let (status, problem) = operation.ask(&app, &own, id).await;
            assert_ne!(status, StatusCode::NOT_FOUND, "{}: {problem}", operation.id);
        }
    }
}

#[tokio::test]
async fn a_key_without_scopes_of_its_own_may_do_what_an_app_does_with_its_jobs() {
    let app = TestApp::start().await;
    let job = completed(&app).await;
    let plain: BTreeSet<_> = Scope::PLAIN.iter().copied().collect();
    for operation in Operation::all() {
        let (status, _) = operation.ask(&app, &app.key, job).await;
        let is_forbidden = status == StatusCode::FORBIDDEN;
        assert_eq!(is_forbidden, !operation.scopes.is_subset(&plain), "{}", operation.id);
    }
    let pages = ["/docs/", "/docs/errors", "/openapi.json"];
    for path in pages {
        let answer = Answer::of(&app.api, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
}
