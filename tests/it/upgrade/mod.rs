//! Data stored by an earlier version is served as that version served it.
//!
//! Each folder in `tests/fixtures/upgrade` is named after the last migration of an earlier version and holds what that
//! version left: `rows.sql`, all rows of its database, and `responses.json`, its responses to queries about them. The test
//! inserts the rows into a database at that migration, applies the later migrations, and sends the same queries. A
//! response may have gained members since; it must not have lost or changed any.
//!
//! `cargo test --test it upgrade::store -- --ignored` writes the folder of the newest migration; it needs `pg_dump` on the
//! path. A folder that has landed is never written again, as deployed databases hold rows like these.
mod store;

use std::{collections::BTreeMap, fs, path::PathBuf};

use aftercall::db;
use axum::http::{Request, header};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::{
    reporting::hours::assert_exact,
    support::{answer::Answer, app::TestApp, db::TestDb, eventually, fixture},
};

/// The responses of an earlier version.
#[derive(Debug, Deserialize)]
struct Responses {
    /// An API key that may read everything.
    key: String,
    /// A job that was waiting for its result, and the path of its webhook URL.
    waiting: (Uuid, String),
    /// Bodies by path. NDJSON is a list, and plain text a string.
    bodies: BTreeMap<String, Value>,
}

fn folders() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/upgrade"].iter().collect()
}

async fn restored(schema: i64) -> TestDb {
    let db = TestDb::at(schema).await;
    let rows = fixture(&format!("upgrade/{schema}/rows.sql"));
    // On a connection of its own, since the rows come with settings for their session.
    let mut connection = PgConnection::connect_with(&db.connect_options()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    db::migrate(&db.pool).await.unwrap();
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

/// Whether `now` has everything that is in `then`. The form of cursors may change.
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
        assert_exact(&app.db.pool).await;
        let counted = "select sum(created)::bigint from reporting.job_hourly_v1";
        assert_eq!(
            app.count(counted).await,
            app.count("select count(*) from aftercall.jobs").await
        );
        let then = fixture(&format!("upgrade/{schema}/responses.json"));
        let then: Responses = serde_json::from_str(&then).unwrap();
        for (path, then_body) in &then.bodies {
            let now = get(&app, &then.key, path).await;
            assert!(keeps(&now, then_body), "{path}\nnow: {now:#}\nthen: {then_body:#}");
        }

        // A job that was submitted before the upgrade is completed after it, while its webhook URL is valid.
        let (job, webhook) = &then.waiting;
        app.about(*job, "update aftercall.jobs set deadline_at = now() where id = $1").await;
        let delivered = app.deliver(webhook, fixture("seed/success.json")).await;
        assert_eq!(delivered.status, 200);
        assert_eq!(app.job(*job).await["state"], "completed");
        let result = get(&app, &then.key, &format!("/v1/jobs/{job}/result")).await;
        assert!(!result["utteranceInsights"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_index_that_an_interrupted_migration_left_unfinished_is_created_again() {
    let db = TestDb::at(51).await;
    let left = "create index jobs_not_completed_facets on aftercall.jobs (id);
        update pg_index set indisvalid = false
        where indexrelid = 'aftercall.jobs_not_completed_facets'::regclass";
    sqlx::raw_sql(left).execute(&db.pool).await.unwrap();
    db::migrate(&db.pool).await.unwrap();
    let found = "select indisvalid and pg_get_indexdef(indexrelid) like '% INCLUDE %' from pg_index
        where indexrelid = 'aftercall.jobs_not_completed_facets'::regclass";
    assert!(sqlx::query_scalar::<_, bool>(found).fetch_one(&db.pool).await.unwrap());
}

/// Stores a delivery of a job of its own.
async fn deliver(db: &mut PgConnection) -> sqlx::Result<()> {
    let delivery = "insert into aftercall.deliveries (job_id, id, attempt, via, outcome, headers, body, body_sha, body_bytes)
        values ($1, $1, 1, 'webhook', 'accepted', '{}', 'x', sha256('x'), 1)";
    sqlx::query(delivery).bind(Uuid::now_v7()).execute(db).await?;
    Ok(())
}

#[tokio::test]
async fn deliveries_are_stored_while_a_migration_creates_an_index_of_their_partition() {
    for (before, index) in [(19, "deliveries_by_time"), (47, "deliveries_sealed")] {
        let db = TestDb::at(before).await;
        sqlx::raw_sql(db::ROLES).execute(&db.pool).await.unwrap();
        sqlx::raw_sql("select aftercall.ensure_partitions(0)").execute(&db.pool).await.unwrap();
        deliver(&mut db.pool.acquire().await.unwrap()).await.unwrap();
        // One that takes long: whoever locks the table waits for it.
        let mut long = db.pool.begin().await.unwrap();
        deliver(&mut long).await.unwrap();
        let meanwhile = async {
            let waits = "select count(*) > 0 from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'";
            eventually("the migration waits", async || {
                let waits = sqlx::query_scalar::<_, bool>(waits).fetch_one(&db.pool);
                waits.await.unwrap().then_some(())
            })
            .await;
            let mut other = db.pool.begin().await.unwrap();
            let patience = "set local lock_timeout = '200ms'";
            sqlx::raw_sql(patience).execute(&mut *other).await.unwrap();
            deliver(&mut other).await.unwrap();
            other.commit().await.unwrap();
            long.commit().await.unwrap();
        };
        let (migrated, ()) = tokio::join!(db::migrate(&db.pool), meanwhile);
        migrated.unwrap();
        let valid =
            "select indisvalid from pg_index where indexrelid = ('aftercall.' || $1)::regclass";
        assert!(
            sqlx::query_scalar::<_, bool>(valid).bind(index).fetch_one(&db.pool).await.unwrap()
        );
    }
}
