//! `aftercall migrate` with and without the right to create roles. On clusters of their own, as roles belong to a cluster.
use aftercall::{
    db::{self, LoginRole, ROLES},
    embedded::Cluster,
    partitions,
};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};

use super::{FORBIDDEN, names, refusal, writing};
use crate::{embedded, support::scratch::Scratch};

const OWNERS: &str = "select distinct relowner::regrole::text from pg_class
    where relnamespace in ('aftercall'::regnamespace, 'reporting'::regnamespace)";
const ROLE_NAMES: &str =
    "select rolname::text from pg_roles where rolname like 'aftercall!_%' escape '!' order by 1";

struct Server {
    cluster: Cluster,
    _folder: Scratch,
}

impl Server {
    async fn start() -> Self {
        let folder = Scratch::new();
        Self { cluster: embedded::start(folder.path()).await, _folder: folder }
    }

    /// As a superuser, in the maintenance database.
    async fn run(&self, statement: &str) {
        let options = self.cluster.connect_options("postgres");
        let mut admin = PgConnection::connect_with(&options).await.unwrap();
        for statement in statement.split(';') {
            let statement = AssertSqlSafe(statement.to_owned());
            sqlx::raw_sql(statement).execute(&mut admin).await.unwrap();
        }
        admin.close().await.unwrap();
    }

    fn pool(&self, database: &str, role: &str) -> PgPool {
        let options = self.cluster.connect_options(database).username(role);
        PgPoolOptions::new().max_connections(2).connect_lazy_with(options)
    }
}

async fn assert_usable(server: &Server, database: &str) {
    let runtime = server.pool(database, LoginRole::Runtime.name());
    assert!(db::is_migrated(&runtime).await.unwrap());
    db::probe_writes(&runtime).await.unwrap();
    partitions::ensure(&runtime, 4).await.unwrap();
    let reader = server.pool(database, LoginRole::Reader.name());
    sqlx::raw_sql("select from reporting.jobs_v1").execute(&reader).await.unwrap();
    let reader = server.cluster.connect_options(database).username(LoginRole::Reader.name());
    let fill_the_disk = "create temporary table mine ()";
    assert_eq!(refusal(&writing(reader), fill_the_disk).await, FORBIDDEN);
}

#[tokio::test]
async fn a_role_that_may_create_roles_creates_them() {
    let server = Server::start().await;
    server.run("create role boss login createrole; create database db owner boss").await;
    let boss = server.pool("db", "boss");
    for _ in 0..2 {
        db::migrate(&boss).await.unwrap();
        assert_usable(&server, "db").await;
    }
    assert_eq!(names(&boss, OWNERS).await, ["aftercall_owner"]);
    let roles = ["aftercall_migrator", "aftercall_owner", "aftercall_reader", "aftercall_runtime"];
    assert_eq!(names(&boss, ROLE_NAMES).await, roles);
    // From now on the role for it suffices.
    let undone = "delete from aftercall.schema_migrations where version = 25";
    sqlx::query(undone).execute(&boss).await.unwrap();
    db::migrate(&server.pool("db", "aftercall_migrator")).await.unwrap();
    assert_usable(&server, "db").await;
    server.cluster.stop().await;
}

#[tokio::test]
async fn a_role_that_may_not_create_roles_migrates_without() {
    let server = Server::start().await;
    server.run("create role plain login; create database db owner plain").await;
    let plain = server.pool("db", "plain");
    for _ in 0..2 {
        db::migrate(&plain).await.unwrap();
        assert!(db::is_migrated(&plain).await.unwrap());
    }
    assert_eq!(names(&plain, ROLE_NAMES).await, [""; 0]);
    assert_eq!(names(&plain, OWNERS).await, ["plain"]);
    // An administrator runs the file. What is there goes to the owner.
    let admin = server.cluster.connect_options("db");
    let admin = PgPoolOptions::new().connect_lazy_with(admin);
    sqlx::raw_sql(ROLES).execute(&admin).await.unwrap();
    assert_eq!(names(&admin, OWNERS).await, ["aftercall_owner"]);
    assert_usable(&server, "db").await;
    db::migrate(&server.pool("db", "aftercall_migrator")).await.unwrap();
    // The former owner of everything has no rights left.
    assert!(db::is_migrated(&plain).await.is_err());
    server.cluster.stop().await;
}

#[tokio::test]
async fn many_databases_are_migrated_at_once() {
    let server = Server::start().await;
    for n in 0..6 {
        server.run(&format!("create database db{n}")).await;
    }
    let superuser = "aftercall";
    let migrations = (0..12).map(async |n| {
        let database = format!("db{}", n / 2);
        let pool = server.pool(&database, superuser);
        db::migrate(&pool).await.unwrap();
        pool.close().await;
    });
    join_all(migrations).await;
    for n in 0..6 {
        assert_usable(&server, &format!("db{n}")).await;
    }
    server.cluster.stop().await;
}
