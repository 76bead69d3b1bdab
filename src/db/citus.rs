//! Distributing tables over several servers with the extension Citus: `config/postgres/citus.sql`.
use sqlx::PgPool;

/// The statements that distribute the tables. Running them again changes nothing.
const CITUS: &str = include_str!("../../config/postgres/citus.sql");

/// Distributes those tables that exist.
///
/// # Errors
/// When the database does not have the extension, before anything is changed; when the session may not do it.
pub async fn distribute(db: &PgPool) -> anyhow::Result<()> {
    let has_citus = sqlx::query_scalar!(
        r#"select exists (select from pg_extension where extname = 'citus') as "has!""#
    );
    anyhow::ensure!(
        has_citus.fetch_one(db).await?,
        "database.distributed is on, but the database has no extension citus: create it on every node as docs/citus.md \
         says, or turn the setting off; nothing was changed"
    );
    sqlx::raw_sql(CITUS).execute(db).await?;
    Ok(())
}
