//! A pool whose connections lead to the server that accepts writes, also after another server has taken over.
//!
//! A primary never becomes a standby without ending its connections, so it is enough that each new connection is to a
//! server that accepts writes. [`Primary::follow`] finds that server again when it is lost.
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    LOOK_EVERY, PoolOptions, may_come,
    servers::{Servers, check_writable},
};

/// A connection used within this time is assumed to be alive.
const FRESH: Duration = Duration::from_secs(1);
/// Pause between two looks at the server in use.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// A server that is silent for longer counts as lost.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a lost server may take to end its connections once another one has been found.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Primary {
    pool: PgPool,
    /// Another password may replace them.
    servers: Arc<Mutex<Servers>>,
    found: Arc<Found>,
}

/// When the server in use was found again.
#[derive(Debug, Default)]
struct Found(Mutex<Option<Instant>>);

impl Found {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection of this age may lead to the server that was lost before.
    fn is_newer_than(&self, age: Duration) -> bool {
        let found = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.is_some_and(|found| found.elapsed() < age)
    }
}

impl Primary {
    /// Opens connections on demand.
    ///
    /// A connection that has been idle is pinged before it is handed out; one in steady use is not, since a ping costs
    /// as much as most statements.
    pub fn later(servers: Servers, options: PoolOptions) -> Self {
        let found = Arc::new(Found::default());
        let (acquired, released) = (found.clone(), found.clone());
        let must_write = servers.must_write();
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if must_write { check_writable(connection).await } else { Ok(()) }
                })
            })
            .before_acquire(move |connection, meta| {
                let is_old = acquired.is_newer_than(meta.age);
                Box::pin(async move {
                    Ok(!is_old && (meta.idle_for < FRESH || connection.ping().await.is_ok()))
                })
            })
            .after_release(move |connection, meta| {
                // Otherwise each connection keeps a buffer as large as the largest statement it ever sent.
                connection.shrink_buffers();
                Box::pin(std::future::ready(Ok(!released.is_newer_than(meta.age))))
            })
            .connect_lazy_with(servers.first().clone());
        Self { pool, servers: Arc::new(Mutex::new(servers)), found }
    }

    /// The same for commands: a wrong URL fails at once. Follows the server until the pool is closed.
    pub async fn open(servers: Servers, options: PoolOptions) -> sqlx::Result<Self> {
        let primary = Self::later(servers, options);
        if primary.is_followed() {
            primary.wait_for(options.acquire_timeout).await?;
            let follower = primary.clone();
            let mut closed = primary.pool.close_event();
            tokio::spawn(async move { closed.do_until(follower.keep_up()).await.map(drop) });
        }
        primary.pool.acquire().await?;
        Ok(primary)
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether [`Self::follow`] has anything to do.
    pub fn is_followed(&self) -> bool {
        self.servers().must_write()
    }

    fn servers(&self) -> Servers {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns once the server accepts a connection; tries for up to `limit`.
    ///
    /// # Errors
    /// The last connection error when `limit` runs out; immediately for errors that waiting does not fix, such as a
    /// wrong password or a missing database.
    pub async fn wait_for(&self, limit: Duration) -> sqlx::Result<()> {
        let (servers, since) = (self.servers(), Instant::now());
        let mut is_logged = false;
        loop {
            let left = limit.saturating_sub(since.elapsed());
            let error = match timeout(left, servers.find()).await {
                Ok(Ok((options, connection))) => {
                    self.pool.set_connect_options(options);
                    return connection.close().await;
                }
                Ok(Err(error)) if !may_come(&error) => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
            };
            if since.elapsed() + LOOK_EVERY > limit {
                return Err(error);
            }
            if !std::mem::replace(&mut is_logged, true) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "waiting for the database");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Has new connections use another password, or other parameters. `options`: of the server that accepts writes.
    pub fn replace(&self, servers: Servers, options: PgConnectOptions) {
        *self.servers.lock().unwrap_or_else(PoisonError::into_inner) = servers;
        self.pool.set_connect_options(options);
    }

    /// Finds the server again whenever it is lost, until `stop` is canceled.
    ///
    /// # Errors
    /// When a server was replaced without ending its connections, as when its machine is cut off from the network:
    /// statements may wait for its responses for ever, so that only another process is rid of them.
    pub async fn follow(self, stop: CancellationToken) -> anyhow::Result<()> {
        stop.run_until_cancelled(self.keep_up()).await.map_or(Ok(()), |ended| ended.map(drop))
    }

    async fn keep_up(&self) -> anyhow::Result<Infallible> {
        let mut used = self.find_again().await;
        loop {
            let error = lost(&mut used).await;
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database was lost; looking for the host that accepts writes"
            );
            let other = self.find_again().await;
            let ended = timeout(PATIENCE, used.ping()).await;
            anyhow::ensure!(
                ended.is_ok(),
                "the database is on another host now, but the old one has not ended its connections; to be rid of what \
                 waits for it, this process has to be restarted"
            );
            used = other;
        }
    }

    /// Has new connections lead to the server that accepts writes, as soon as there is one.
    async fn find_again(&self) -> PgConnection {
        let mut is_logged = false;
        loop {
            let error = match self.servers().find().await {
                Ok((options, connection)) => {
                    let (host, port) = (options.get_host(), options.get_port());
                    tracing::info!(db_host = host, db_port = port, "the database accepts writes");
                    self.pool.set_connect_options(options);
                    self.found.now();
                    return connection;
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut is_logged, true) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "waiting for the database");
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Returns when the server is no longer there, or only accepts reads.
async fn lost(connection: &mut PgConnection) -> sqlx::Error {
    loop {
        sleep(WATCH_EVERY).await;
        match timeout(SILENCE, check_writable(connection)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(_) => return sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Returns once new connections of the pool have other options than these: another server, or another password.
pub async fn replaced(db: &PgPool, options: &Arc<PgConnectOptions>) {
    while Arc::ptr_eq(&db.connect_options(), options) {
        sleep(WATCH_EVERY).await;
    }
}
