//! What an earlier version stored is served by this one as it was served then.
//!
//! Each folder of `tests/fixtures/upgrade` is named after the last migration of a version and holds what that version
//! left: `rows.sql`, all its rows, and `responses.json`, what it responded when it was asked about them. The rows are
//! put into a database at that migration, which is then brought up to date. A response may have gained members since;
//! it may not have lost or changed any.
//!
//! `cargo test --test it upgrade::store -- --ignored` writes the folder of the newest migration, with the `pg_dump` on
//! the path. A folder that has landed stays as it is, as the rows of deployed databases do. A release whose schema or
//! stores differ gets a folder of its own.
mod store;

use std::{collections::BTreeMap, fs, path::PathBuf};

use aftercall::db::MIGRATOR;
use axum::http::{Request, header};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::support::{answer::Answer, app::TestApp, db::TestDb, fixture};

/// What a version responded.
#[derive(Debug, Deserialize)]
struct Responses {
    /// An API key that may read everything.
    key: String,
    /// A job that was waiting for its result, and the path of its webhook URL.
    waiting: (Uuid, String),
    /// Bodies by path. NDJSON is a list; what is no JSON is a string.
    bodies: BTreeMap<String, Value>,
}

fn folders() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/upgrade"].iter().collect()
}

async fn restored(schema: i64) -> TestDb {
    let db = TestDb::at(schema).await;
    let rows = fixture(&format!("upgrade/{schema}/rows.sql"));
    // On a connection of its own: it has settings that no other must have.
    let mut connection = PgConnection::connect_with(&db.connect_options()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    MIGRATOR.run(&db.pool).await.unwrap();
    db
}

async fn get(app: &TestApp, key: &str, path: &str) -> Value {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
    let answer = app.ask(request).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    body(&answer)
}

fn body(answer: &Answer) -> Value {
    match answer.header("content-type").split(';').next() {
        Some("application/json") => answer.json(),
        Some("application/x-ndjson") => {
            let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()).collect()
        }
        _ => Value::String(String::from_utf8(answer.body.to_vec()).unwrap()),
    }
}

/// Whether `now` has everything that is in `then`. Later versions may write other cursors.
fn keeps(now: &Value, then: &Value) -> bool {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => then.iter().all(|(name, then)| {
            let now = now.get(name);
            now.is_some_and(|now| name == "nextCursor" || keeps(now, then))
        }),
        (Value::Array(now), Value::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| keeps(now, then))
        }
        (now, then) => now == then,
    }
}

#[tokio::test]
async fn what_an_earlier_version_stored_is_served_as_it_was() {
    let schemas: Vec<i64> = fs::read_dir(folders())
        .unwrap()
        .map(|folder| folder.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    assert!(!schemas.is_empty());
    for schema in schemas {
        let app = TestApp::on(restored(schema).await, |_| {}).await;
        let then = fixture(&format!("upgrade/{schema}/responses.json"));
        let then: Responses = serde_json::from_str(&then).unwrap();
        for (path, then_body) in &then.bodies {
            let now = get(&app, &then.key, path).await;
            assert!(keeps(&now, then_body), "{path}\nnow: {now:#}\nthen: {then_body:#}");
        }

        // What was under way goes on.
        let (job, webhook) = &then.waiting;
        let delivered = app.deliver(webhook, fixture("seed/success.json")).await;
        assert_eq!(delivered.status, 200);
        assert_eq!(app.job(*job).await["state"], "completed");
        let result = get(&app, &then.key, &format!("/v1/jobs/{job}/result")).await;
        assert!(!result["utteranceInsights"].as_array().unwrap().is_empty());
    }
}
