//! `PgBouncer` between the service and Postgres. `tests/pgbouncer/run` starts one and sets `TEST_POOLER`; without it, only what
//! needs none is tested. On the two ports above it, another one forbids transactions, and another has no prepared
//! statements.
use aftercall::db::{self, LoginRole, Sessions};
use serde_json::json;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use crate::{
    process::{Home, Service},
    support::{
        app::TestApp,
        db::{Pooler, TestDb},
        seed::seed,
    },
};

fn pooler() -> Option<Pooler> {
    let pooler = Pooler::get();
    if pooler.is_none() {
        eprintln!("TEST_POOLER is not set: nothing is tested; see tests/pgbouncer/run");
    }
    pooler
}

/// The runtime's options through the pooler this many ports above the usual one.
fn through(pooler: &Pooler, above: u16, db: &TestDb) -> PgConnectOptions {
    let port = pooler.port + above;
    db.options_of(LoginRole::Runtime).port(port)
}

#[tokio::test]
async fn a_direct_connection_has_a_session_of_its_own() {
    let db = TestDb::new().await;
    let found = db::sessions(&db.direct_of(LoginRole::Runtime)).await.unwrap();
    assert_eq!(found, Sessions::Own);
}

#[tokio::test]
async fn poolers_are_told_apart() {
    let Some(pooler) = pooler() else { return };
    let db = TestDb::new().await;
    let expected = [Sessions::PerTransaction, Sessions::PerStatement, Sessions::WithoutPrepared];
    for (above, expected) in (0..).zip(expected) {
        let found = db::sessions(&through(&pooler, above, &db)).await.unwrap();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn the_service_does_not_start_behind_a_pooler_that_cannot_work() {
    let Some(pooler) = pooler() else { return };
    let db = TestDb::new().await;
    for (above, advice) in [(1, "pool_mode = transaction"), (2, "max_prepared_statements")] {
        let url = through(&pooler, above, &db).password("canary").to_url_lossy();
        let home = Home::on(&db).set("DATABASE_URL", url);
        for command in ["serve", "doctor"] {
            let ended = home.run(&[command]).await;
            assert_ne!(ended.code, Some(0), "{}", ended.out);
            let said = format!("{}{}", ended.out, ended.err);
            assert!(said.contains(advice) && !said.contains("canary"), "{command}: {said}");
        }
    }
}

#[tokio::test]
async fn doctor_says_which_direct_connections_are_missing() {
    let Some(_) = pooler() else { return };
    let db = TestDb::new().await;
    let direct = db.direct_of(LoginRole::Runtime).to_url_lossy();
    let home = Home::on(&db).unset("AFTERCALL__DATABASE__LISTEN_URL");
    let told = home.run(&["doctor"]).await.out;
    assert!(told.contains("database.listen_url") && told.contains("migration_url"), "{told}");
    let home = home.set("AFTERCALL__DATABASE__LISTEN_URL", direct.clone()).set(
        "AFTERCALL__DATABASE__MIGRATION_URL",
        db.options_of(LoginRole::Runtime).to_url_lossy(),
    );
    let told = home.run(&["doctor"]).await.out;
    assert!(!told.contains("database.listen_url") && told.contains("migration_url"), "{told}");
    let home = home.set("AFTERCALL__DATABASE__MIGRATION_URL", direct);
    let told = home.run(&["doctor"]).await.out;
    assert!(told.contains("\nok    pooler "), "{told}");
    let pooled = db.options_of(LoginRole::Runtime).to_url_lossy();
    let told = home.set("AFTERCALL__DATABASE__READ_URL", pooled).run(&["doctor"]).await.out;
    assert!(told.contains("set database.read_url to a direct connection"), "{told}");
}

#[tokio::test]
async fn migrations_refuse_to_share_a_session() {
    let Some(pooler) = pooler() else { return };
    let db = TestDb::at(1).await;
    let home = Home::new().set("DATABASE_URL", pooler.through(db.connect_options()).to_url_lossy());
    let refused = home.run(&["migrate"]).await.failure(1);
    assert!(refused.contains("database.migration_url"), "{refused}");
    let applied = "select count(*) from aftercall.schema_migrations";
    let count = async || sqlx::query_scalar::<_, i64>(applied).fetch_one(&db.pool).await.unwrap();
    assert_eq!(count().await, 1);
    let direct = db.connect_options().to_url_lossy();
    home.set("AFTERCALL__DATABASE__MIGRATION_URL", direct).run(&["migrate"]).await.success();
    assert!(count().await > 1);
}

/// Behind a pooler, what an export sets for its session would be set for others.
#[tokio::test]
async fn an_export_leaves_its_settings_to_nobody() {
    let app = TestApp::start().await;
    seed(&app.db.pool, "app", 20, 0).await;
    let usual = settings(&mut app.db.pool.acquire().await.unwrap()).await;
    assert_eq!(app.get("/v1/exports/jobs.ndjson").await.status, 200);
    // All sessions at once: as many as the pool has connections.
    let mut transactions = Vec::new();
    for _ in 0..app.db.runtime.options().get_max_connections() {
        let mut tx = app.db.runtime.begin().await.unwrap();
        assert_eq!(settings(&mut tx).await, usual);
        transactions.push(tx);
    }
}

async fn settings(db: &mut PgConnection) -> (String, String) {
    let query = "select current_setting('jit'), current_setting('statement_timeout')";
    sqlx::query_as(query).fetch_one(db).await.unwrap()
}

#[tokio::test]
async fn without_a_direct_connection_changes_are_still_seen() {
    let db = TestDb::new().await;
    let home = Home::on(&db).unset("AFTERCALL__DATABASE__LISTEN_URL");
    let service = Service::start(&home).await;
    let id = service.submit(json!({})).await;
    let job = service.get(&format!("/v1/jobs/{id}?wait=15")).await;
    assert_eq!(job["state"], "completed");
    // Nor does anyone else hear what was meant for it: a statement would fail.
    for _ in 0..20 {
        service.submit(json!({})).await;
    }
    let warned = service
        .process
        .log()
        .iter()
        .any(|line| line["msg"].as_str().is_some_and(|it| it.contains("database.listen_url")));
    assert_eq!(warned, Pooler::get().is_some());
    service.stop().await.success();
}
