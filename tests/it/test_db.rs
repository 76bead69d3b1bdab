//! The tests' own databases: separate, migrated, removed afterwards.
use sqlx::{Connection as _, PgConnection};

use crate::support::db::TestDb;

async fn has_database(db: &TestDb, name: &str) -> bool {
    sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut db.admin().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_test_gets_a_migrated_database_of_its_own() {
    let (one, other) = (TestDb::new().await, TestDb::new().await);
    sqlx::query("create table only_here ()").execute(&one.pool).await.unwrap();
    let there: Option<String> = sqlx::query_scalar("select to_regclass('only_here')::text")
        .fetch_one(&other.pool)
        .await
        .unwrap();
    assert_eq!(there, None);
    let schema: Option<String> = sqlx::query_scalar("select to_regnamespace('aftercall')::text")
        .fetch_one(&other.pool)
        .await
        .unwrap();
    assert_eq!(schema.as_deref(), Some("aftercall"));
}

#[tokio::test]
async fn a_database_is_dropped_with_its_open_connections() {
    let watcher = TestDb::new().await;
    let db = TestDb::new().await;
    let name = db.name().to_owned();
    let _pooled = db.pool.acquire().await.unwrap();
    let _own = PgConnection::connect_with(&db.connect_options()).await.unwrap();
    assert!(has_database(&watcher, &name).await);
    drop(db);
    assert!(!has_database(&watcher, &name).await);
}
