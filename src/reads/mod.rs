//! Where reads go: to the primary, or to a streaming replica of it, once that has replayed everything that was committed
//! before the request. So nobody sees less than before, whoever wrote it and whichever process answers.
//!
//! In: a read as a closure. Out: its result; if the replica fails, the closure runs once more, on the primary.
mod position;
mod replica;
mod standing;
mod watch;

use std::{
    error::Error as StdError,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool, PgTransaction, Postgres, error::DatabaseError,
    pool::PoolConnection, postgres::PgConnectOptions,
};

use self::replica::Replica;
use crate::{
    db,
    metrics::{Metrics, ReplicaFault},
};

pub use self::{standing::Found, watch::ReplicaWatch};

/// Gives reads their connections. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Reads {
    primary: PgPool,
    /// `None`: all reads go to the primary.
    replica: Option<Arc<Replica>>,
    metrics: Metrics,
}

impl Reads {
    pub fn of_primary(primary: PgPool) -> Self {
        Self { primary, replica: None, metrics: Metrics::default() }
    }

    /// `max_lag`: how long a read waits for the replica to catch up, before it goes to the primary.
    #[must_use]
    pub fn with_replica(self, pool: PgPool, max_lag: Duration, metrics: Metrics) -> Self {
        let replica = Replica::new(self.primary.clone(), pool, max_lag);
        Self { replica: Some(Arc::new(replica)), metrics, ..self }
    }

    /// Must run for the replica to be used; `None` if there is none.
    pub fn watch(&self) -> Option<ReplicaWatch> {
        let replica = self.replica.clone()?;
        Some(ReplicaWatch::new(replica, self.metrics.clone()))
    }

    /// Has new connections to the replica use another password.
    pub fn replace_replica(&self, options: PgConnectOptions) {
        if let Some(replica) = &self.replica {
            replica.pool.set_connect_options(options);
        }
    }

    /// Closes the connections to the replica.
    pub async fn close(&self) {
        if let Some(replica) = &self.replica {
            replica.pool.close().await;
        }
    }

    /// Runs `read`, which sees everything that was committed before the call.
    ///
    /// If its server fails or cancels it, as a replica does when what it reads must go, it runs once more on the primary.
    pub async fn run<T, E>(
        &self,
        read: impl AsyncFnOnce(ReadConnection) -> Result<T, E> + Clone,
    ) -> Result<T, E>
    where
        E: StdError + From<sqlx::Error> + 'static,
    {
        self.run_on(self.acquire().await?, read).await
    }

    /// The same with the connection at hand.
    pub async fn run_on<T, E>(
        &self,
        connection: ReadConnection,
        read: impl AsyncFnOnce(ReadConnection) -> Result<T, E> + Clone,
    ) -> Result<T, E>
    where
        E: StdError + From<sqlx::Error> + 'static,
    {
        if !connection.is_replica {
            return read(connection).await;
        }
        let result = read.clone()(connection).await;
        match &result {
            Err(error) if is_fault_of_server(error) => {
                tracing::debug!(error = error as &dyn StdError, "a read failed on the replica");
            }
            _ => return result,
        }
        self.metrics.read_on_primary(ReplicaFault::Interrupted);
        read(self.acquire_primary().await?).await
    }

    /// A connection that sees everything that was committed before the call.
    pub async fn acquire(&self) -> sqlx::Result<ReadConnection> {
        if let Some(replica) = &self.replica {
            match replica.acquire().await {
                Ok(connection) => {
                    self.metrics.read_on_replica();
                    return Ok(ReadConnection::new(connection, true));
                }
                Err(fault) => self.metrics.read_on_primary(fault),
            }
        }
        self.acquire_primary().await
    }

    async fn acquire_primary(&self) -> sqlx::Result<ReadConnection> {
        Ok(ReadConnection::new(self.primary.acquire().await?, false))
    }
}

/// Whether another server might not have failed with this error.
fn is_fault_of_server(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<sqlx::Error>() {
            return is_servers(error);
        }
        cause = error.source();
    }
    false
}

/// SQLSTATE, besides those of [`db::is_unavailable`]: 55000, which a server in recovery answers to what it cannot do
/// there; classes 58 and XX, damaged files.
fn is_servers(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    let is_damage =
        |code: &str| code == "55000" || code.starts_with("58") || code.starts_with("XX");
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        _ => db::is_unavailable(error) || code.is_some_and(|code| is_damage(&code)),
    }
}

/// A connection that is only read from.
#[derive(Debug)]
pub struct ReadConnection {
    connection: PoolConnection<Postgres>,
    is_replica: bool,
    /// Whether the server may be in a transaction of which sqlx does not know yet.
    is_beginning: bool,
}

impl ReadConnection {
    fn new(connection: PoolConnection<Postgres>, is_replica: bool) -> Self {
        Self { connection, is_replica, is_beginning: false }
    }

    /// Begins a transaction by this statement. If that is canceled halfway, the connection is closed: [`db::begin`]
    /// says why.
    pub async fn begin(&mut self, statement: &'static str) -> sqlx::Result<PgTransaction<'_>> {
        let Self { connection, is_beginning, .. } = self;
        *is_beginning = true;
        let begun = connection.begin_with(statement).await?;
        *is_beginning = false;
        Ok(begun)
    }

    /// Begins by [`db::READING`]. It need not be committed: it is rolled back behind the response.
    pub async fn begin_reading(&mut self) -> sqlx::Result<PgTransaction<'_>> {
        self.begin(db::READING).await
    }

    /// A transaction for streaming the rows of one statement, however many there are. The connection is closed afterwards,
    /// because unread rows would block the next statement.
    ///
    /// `longest` limits the statement's run time; Postgres enforces it even while the statement returns no rows.
    pub async fn stream(&mut self, longest: Duration) -> sqlx::Result<PgTransaction<'_>> {
        self.connection.close_on_drop();
        let mut tx = self.begin("begin read only").await?;
        // JIT compilation would delay the first row.
        sqlx::query!(
            r#"select set_config('jit', 'off', true) as "jit!",
                set_config('statement_timeout', $1, true) as "longest!""#,
            i32::try_from(longest.as_millis()).unwrap_or(i32::MAX).to_string(),
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(tx)
    }
}

impl Drop for ReadConnection {
    fn drop(&mut self) {
        if self.is_beginning {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for ReadConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
