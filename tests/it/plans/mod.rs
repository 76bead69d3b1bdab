//! The plans of hot statements on large tables: none may read one from end to end.
mod claim;
mod events;
mod jobs;
mod notifications;
mod reporting;
mod results;
mod samples;
mod search;
mod stats;

use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Connection as _, Execute as _, PgConnection, PgPool, PgTransaction, Postgres,
    QueryBuilder,
};

/// Minimum row count of a large table or partition.
const MANY: f32 = 100.0;

/// The plan of a statement with its bound values.
async fn plan(db: &PgPool, mut statement: QueryBuilder<Postgres>) -> Value {
    let sql = AssertSqlSafe(format!("explain (format json) {}", statement.sql().as_str()));
    let arguments = statement.build().take_arguments().unwrap().unwrap();
    let mut tx = db.begin().await.unwrap();
    // As on SSDs. With the default of 4, tables of this size are read whole where larger ones are not.
    sqlx::query("set local random_page_cost = 1.1").execute(&mut *tx).await.unwrap();
    let plans: Value = sqlx::query_scalar_with(sql, arguments).fetch_one(&mut *tx).await.unwrap();
    plans[0]["Plan"].clone()
}

/// All nodes of a plan, the outermost first.
fn nodes(plan: &Value) -> Vec<&Value> {
    let below = plan["Plans"].as_array().into_iter().flatten().flat_map(nodes);
    std::iter::once(plan).chain(below).collect()
}

/// Asserts that no large table is read from end to end.
async fn assert_selective(db: &PgPool, plan: &Value) {
    let scans = nodes(plan).into_iter().filter(|node| node["Node Type"] == "Seq Scan");
    let scanned: Vec<&str> = scans.map(|node| node["Relation Name"].as_str().unwrap()).collect();
    let large: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
        where relnamespace = 'aftercall'::regnamespace and relname = any($1) and reltuples > $2",
    )
    .bind(scanned)
    .bind(MANY)
    .fetch_all(db)
    .await
    .unwrap();
    assert!(large.is_empty(), "reads all of {large:?}: {plan:#}");
}

/// The tables whose rows this transaction has read by sequential scans.
pub async fn scanned(tx: &mut PgTransaction<'_>) -> Vec<String> {
    let query = "select relname::text from pg_stat_xact_user_tables
        where schemaname = 'aftercall' and seq_tup_read > 0 order by relname";
    sqlx::query_scalar(query).fetch_all(&mut **tx).await.unwrap()
}

/// A connection of its own: what a transaction has read includes what its connection read before and has not reported yet.
pub async fn fresh(db: &PgPool) -> PgConnection {
    PgConnection::connect_with(&db.connect_options()).await.unwrap()
}

/// Asserts that no large table was read from end to end, and at most `rows` rows of jobs by an index.
pub async fn reads_little(tx: &mut PgTransaction<'_>, rows: i64) {
    let large: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'aftercall'::regnamespace
            and relname = any($1) and reltuples > $2",
    )
    .bind(scanned(tx).await)
    .bind(MANY)
    .fetch_all(&mut **tx)
    .await
    .unwrap();
    assert!(large.is_empty(), "reads all of {large:?}");
    let fetched = fetched(tx).await;
    assert!(fetched <= rows, "fetches {fetched} rows of jobs");
}

/// Rows of jobs that this transaction has fetched by an index.
async fn fetched(tx: &mut PgTransaction<'_>) -> i64 {
    let query = "select coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables
        where schemaname = 'aftercall' and relname = 'jobs'";
    sqlx::query_scalar(query).fetch_one(&mut **tx).await.unwrap()
}
