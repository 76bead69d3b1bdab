//! The connection pool, the migrations, and the meaning of database errors.
mod applied;
mod citus;
mod columns;
mod load;
mod migrate;
mod partitions;
mod pooling;
mod primary;
mod roles;
mod servers;
mod transaction;

use std::{sync::LazyLock, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{
    PgExecutor, PgPool, PgTransaction,
    error::DatabaseError,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};

pub use self::{
    applied::{MigrationDifferences, migration_differences},
    citus::distribute,
    columns::{Lists, column, integer},
    load::{ServerLoad, TableSize, server_load, table_sizes},
    migrate::migrate,
    partitions::days_until_no_partition,
    pooling::{Sessions, sessions},
    primary::{Primary, replaced},
    roles::{LoginRole, ROLES, is_superuser, set_password},
    servers::{Servers, is_same_but_password},
    transaction::{READING, begin, begin_reading, begin_with},
};

/// The files in `migrations/`, built into the binary. Applied versions are recorded in our own schema.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!();
    migrator.create_schema("aftercall");
    migrator.dangerous_set_table_name("aftercall.schema_migrations");
    migrator
});

/// Size and acquire timeout of a pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolOptions {
    pub max_connections: u32,
    pub acquire_timeout: Duration,
}

/// Opens a pool on one server and its first connection, so that a wrong URL fails at startup.
pub async fn connect(options: PgConnectOptions, pool: PoolOptions) -> sqlx::Result<PgPool> {
    let primary = Primary::open(Servers::one(options), pool).await?;
    Ok(primary.pool().clone())
}

/// Pause between two attempts to reach a server that is not up yet, or to migrate while another process does.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Whether the server may still come up: the connection was refused, its name does not resolve, or it has no free
/// connection.
fn may_come(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || is_unavailable(error)
}

/// Whether the server cannot run the statement now, for reasons unrelated to the statement.
///
/// SQLSTATE (`PostgreSQL` manual, appendix A): class 53, out of disk, memory or connections; 57P01 to 57P05, stopping
/// or starting; 25006, read-only; 40001 and 40P01, rolled back in favor of another transaction; 58030, an I/O error.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| {
        let one_of = ["25006", "40001", "40P01", "58030"];
        code.starts_with("53") || code.starts_with("57P0") || one_of.contains(&&*code)
    })
}

/// Whether the values are the cause: the same values will be rejected again.
///
/// Classes of SQLSTATE: 22, data exception, and 54, program limit exceeded.
pub fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("54"))
}

/// Whether the session's role lacks a right that the statement needs.
pub fn is_forbidden(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code == "42501")
}

/// The same for an error of [`migrate`].
pub fn is_forbidden_migration(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            is_forbidden(error)
        }
        _ => false,
    }
}

/// Whether every migration of this binary has been applied. Newer ones do not matter: a newer replica may already have
/// migrated, and its schema still serves this version.
pub async fn is_migrated(db: &PgPool) -> sqlx::Result<bool> {
    let wanted: Vec<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
    let has_table = sqlx::query_scalar!(
        r#"select to_regclass('aftercall.schema_migrations') is not null as "has!""#
    )
    .fetch_one(db)
    .await?;
    if !has_table {
        return Ok(false);
    }
    let applied = sqlx::query_scalar!(
        r#"select count(*) as "count!" from aftercall.schema_migrations
        where success and version = any($1)"#,
        &wanted,
    )
    .fetch_one(db)
    .await?;
    Ok(usize::try_from(applied).is_ok_and(|applied| applied == wanted.len()))
}

/// Writes to a new page, which fails while the disk is full or the database is read-only.
pub async fn probe_writes(db: &PgPool) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with written as (insert into aftercall.write_probe (filler) values (repeat('x', 7900)))
        delete from aftercall.write_probe
        "#
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The time `age` ago by the database's clock.
pub async fn ago(db: impl PgExecutor<'_>, age: Duration) -> sqlx::Result<DateTime<Utc>> {
    let age = age.as_secs_f64();
    sqlx::query_scalar!(r#"select now() - make_interval(secs => $1) as "ago!""#, age)
        .fetch_one(db)
        .await
}

/// Limits each statement of the rest of this transaction.
pub async fn limit_statements(tx: &mut PgTransaction<'_>, limit: Duration) -> sqlx::Result<()> {
    let limit = format!("{}ms", limit.as_millis());
    sqlx::query!(r#"select set_config('statement_timeout', $1, true) as "set!""#, limit)
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

/// Whether the statement waited for a lock for longer than `lock_timeout`. SQLSTATE 55P03.
pub fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code == "55P03")
}

/// Whether the statement was canceled, as one that took too long is. SQLSTATE 57014.
pub fn is_canceled(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code == "57014")
}

/// The secret with that name, shared by all replicas; created by a migration.
pub async fn service_secret(db: &PgPool, name: &str) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!("select secret from aftercall.service_secrets where name = $1", name)
        .fetch_one(db)
        .await
}
