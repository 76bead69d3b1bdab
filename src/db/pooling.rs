//! Whether a pooler stands between the service and Postgres, and what it leaves of a session.
use sqlx::{
    Connection as _, PgConnection, Row as _, error::DatabaseError, postgres::PgConnectOptions,
};

/// Who uses a session of Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// One connection, as far as can be told.
    Own,
    /// Whoever begins a transaction: a pooler such as `PgBouncer` with `pool_mode = transaction`.
    PerTransaction,
    /// The same, but a prepared statement exists only in the session that prepared it.
    WithoutPrepared,
    /// Whoever sends a statement, so that there are no transactions.
    PerStatement,
}

impl Sessions {
    /// Why the service cannot work there, and what to do about it.
    pub fn obstacle(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Own | Self::PerTransaction => None,
            Self::WithoutPrepared => Some((
                "database.url goes through a pooler that does not support prepared statements",
                "use PgBouncer 1.21 or newer with max_prepared_statements = 200",
            )),
            Self::PerStatement => Some((
                "database.url goes through a pooler that forbids transactions",
                "set pool_mode = transaction in PgBouncer",
            )),
        }
    }
}

/// Finds out with three connections, since those in a transaction keep their session to themselves.
pub async fn sessions(options: &PgConnectOptions) -> sqlx::Result<Sessions> {
    match are_shared(options).await {
        Ok(true) => Ok(Sessions::PerTransaction),
        Ok(false) => Ok(Sessions::Own),
        Err(error) => obstacle(&error).ok_or(error),
    }
}

async fn are_shared(options: &PgConnectOptions) -> sqlx::Result<bool> {
    let connect = async || PgConnection::connect_with(options).await;
    let (mut first, mut second, mut third) = (connect().await?, connect().await?, connect().await?);
    let own = session(&mut first).await?;
    // A pooler hands out either the session that was used last, or each of the free ones in turn.
    let mut tx = second.begin().await?;
    let is_shared = prepared(&mut tx).await? == own
        || session(&mut first).await? != own
        || prepared(&mut *third.begin().await?).await? == own;
    tx.rollback().await?;
    // Where another connection has just prepared the same.
    prepared(&mut *first.begin().await?).await?;
    for connection in [first, second, third] {
        connection.close().await?;
    }
    Ok(is_shared)
}

/// The process of Postgres that is the session, without a prepared statement.
async fn session(db: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("select pg_backend_pid()").fetch_one(db).await?.try_get(0)
}

/// The same, by a prepared statement.
async fn prepared(db: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::query_scalar!(r#"select pg_backend_pid() as "pid!""#).fetch_one(db).await
}

/// What an error says about the pooler.
///
/// SQLSTATE (`PostgreSQL` manual, appendix A): 26000 and 42P05, a prepared statement does not exist, or exists already;
/// 08P01, by which `PgBouncer` refuses transactions.
fn obstacle(error: &sqlx::Error) -> Option<Sessions> {
    match &*error.as_database_error().and_then(DatabaseError::code)? {
        "26000" | "42P05" => Some(Sessions::WithoutPrepared),
        "08P01" => Some(Sessions::PerStatement),
        _ => None,
    }
}
