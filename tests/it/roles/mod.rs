//! The database roles: what the service and dashboards may do, and who may create them.
mod migrate;
mod production;

use aftercall::{db::LoginRole, partitions};
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::support::{app::TestApp, db::TestDb};

/// The SQLSTATE of "insufficient privilege".
const FORBIDDEN: &str = "42501";

async fn refusal(db: &PgPool, statement: &str) -> String {
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await;
    let error = done.expect_err(statement).into_database_error().unwrap();
    error.code().unwrap().into_owned()
}

/// Connections whose transactions may write, as far as rights allow: read-only ones are only the default.
fn writing(options: PgConnectOptions) -> PgPool {
    let options = options.options([("default_transaction_read_only", "off")]);
    PgPoolOptions::new().connect_lazy_with(options)
}

async fn names(db: &PgPool, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(db).await.unwrap()
}

#[tokio::test]
async fn dashboards_read_every_view() {
    let app = TestApp::start().await;
    let reader = app.db.reader();
    let views = "select relname::text from pg_class where relnamespace = 'reporting'::regnamespace";
    let views = names(&reader, views).await;
    assert!(views.len() > 20, "{views:?}");
    for view in views {
        let read = AssertSqlSafe(format!("select count(v) from reporting.{view} v"));
        sqlx::raw_sql(read)
            .execute(&reader)
            .await
            .unwrap_or_else(|error| panic!("{view}: {error}"));
    }
}

#[tokio::test]
async fn dashboards_read_nothing_else_and_write_nothing() {
    let db = TestDb::new().await;
    let reader = db.reader();
    let tables = "select format('aftercall.%I', relname) from pg_class
        where relnamespace = 'aftercall'::regnamespace and relkind in ('r', 'p', 'v')";
    for table in names(&db.pool, tables).await {
        assert_eq!(refusal(&reader, &format!("select from {table}")).await, FORBIDDEN);
    }
    let functions = "select p.oid::regprocedure::text from pg_proc p
        where pronamespace = 'aftercall'::regnamespace and prosecdef
            and has_function_privilege('aftercall_reader', p.oid, 'execute')";
    assert_eq!(names(&db.pool, functions).await, [""; 0], "run with the rights of the owner");
    let writing = writing(db.options_of(LoginRole::Reader));
    for statement in [
        "select aftercall.ensure_partitions(1)",
        "create schema mine",
        "create table reporting.mine ()",
        "drop view reporting.jobs_v1",
        "insert into reporting.drift_v1 (kind) values ('other')",
    ] {
        assert_eq!(refusal(&writing, statement).await, FORBIDDEN, "{statement}");
    }
}

#[tokio::test]
async fn dashboards_are_limited() {
    let db = TestDb::new().await;
    let reader = db.reader();
    let limits = "select format('%s %s', name, current_setting(name)) from unnest(array['statement_timeout',
        'lock_timeout', 'idle_in_transaction_session_timeout', 'default_transaction_read_only']) name
        union all select 'connections ' || rolconnlimit from pg_roles where rolname = current_user";
    let expected = [
        "statement_timeout 15s",
        "lock_timeout 5s",
        "idle_in_transaction_session_timeout 1min",
        "default_transaction_read_only on",
        "connections 20",
    ];
    assert_eq!(names(&reader, limits).await, expected);
}

#[tokio::test]
async fn the_service_changes_rows_but_no_table() {
    let db = TestDb::new().await;
    for statement in [
        "create table aftercall.mine ()",
        "alter table aftercall.jobs add column mine integer",
        "drop table aftercall.write_probe",
        "truncate aftercall.jobs",
        "create index on aftercall.jobs (state)",
        "create function aftercall.mine() returns integer language sql as 'select 1'",
        "alter table aftercall.jobs disable trigger all",
        "create schema mine",
        "create role mine",
        "set role aftercall_owner",
        "delete from aftercall.schema_migrations",
        "select pg_read_file('/etc/passwd')",
        "copy aftercall.callers to program 'true'",
    ] {
        assert_eq!(refusal(&db.runtime, statement).await, FORBIDDEN, "{statement}");
    }
    assert!(partitions::ensure(&db.runtime, 5).await.unwrap() > 0);
    // Also in the partitions that it has created.
    let lacking = "select c.oid::regclass::text from pg_class c
        where relnamespace = 'aftercall'::regnamespace and relkind in ('r', 'p') and relname <> 'schema_migrations'
            and not has_table_privilege('aftercall_runtime', c.oid, 'select, insert, update, delete')";
    assert_eq!(names(&db.pool, lacking).await, [""; 0]);
    let strange = "select c.oid::regclass::text from pg_class c
        where relnamespace in ('aftercall'::regnamespace, 'reporting'::regnamespace)
            and relowner <> 'aftercall_owner'::regrole";
    assert_eq!(names(&db.pool, strange).await, [""; 0], "do not belong to the owner");
}
