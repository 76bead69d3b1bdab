//! How far the history of the primary has come.
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, PgExecutor, PgPool};
use tokio::sync::Mutex;

/// A point in the history of a database.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// Identifier of the cluster, which its replicas share.
    pub system: i64,
    /// Oid of the database, which is the same on replicas.
    pub database: i64,
    /// Changes with each promotion of a replica.
    pub timeline: i32,
    /// Bytes of WAL up to here.
    pub lsn: i64,
    /// By the primary's clock.
    pub at: DateTime<Utc>,
}

impl Position {
    /// Every commit that the server has confirmed so far is before this point.
    ///
    /// A commit is confirmed, and visible, once its WAL is flushed; what is not flushed yet cannot have reached a replica.
    /// Only with `synchronous_commit = off` is it confirmed before, so that all WAL written so far counts.
    async fn of_primary(db: impl PgExecutor<'_>) -> sqlx::Result<Self> {
        sqlx::query_as!(
            Self,
            r#"
            select (select system_identifier from pg_control_system()) as "system!",
                (select oid::int8 from pg_database where datname = current_database()) as "database!",
                ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int as "timeline!",
                (case current_setting('synchronous_commit') when 'off' then pg_current_wal_insert_lsn()
                    else pg_current_wal_flush_lsn() end - '0/0')::int8 as "lsn!",
                now() as "at!"
            "#
        )
        .fetch_one(db)
        .await
    }
}

/// Asks the primary for its position. One question at a time: whoever comes while it is being answered shares the next
/// one, since only that is certain to include what was committed before they came.
#[derive(Debug)]
pub struct Latest {
    primary: PgPool,
    /// How many have come.
    came: AtomicU64,
    asker: Mutex<Asker>,
}

#[derive(Debug, Default)]
struct Asker {
    /// Apart from the pool, so that reads need not wait for writes that use it up.
    connection: Option<PgConnection>,
    /// The last answer is for this many who had come before the primary was asked.
    shared_by: u64,
    /// `None`: the primary did not answer.
    position: Option<Position>,
}

impl Asker {
    async fn ask(&mut self, primary: &PgPool) -> sqlx::Result<Position> {
        // Taken out: if this is canceled halfway, it is not used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&primary.connect_options()).await?,
        };
        let position = Position::of_primary(&mut connection).await?;
        self.connection = Some(connection);
        Ok(position)
    }
}

impl Latest {
    pub fn new(primary: PgPool) -> Self {
        Self { primary, came: AtomicU64::new(0), asker: Mutex::default() }
    }

    /// A position that is not before anything that was committed before the call. `None` if the primary does not answer,
    /// as its other statements will then report.
    pub async fn position(&self) -> Option<Position> {
        let before_me = self.came.fetch_add(1, Ordering::SeqCst);
        let mut asker = self.asker.lock().await;
        if asker.shared_by <= before_me {
            let shared_by = self.came.load(Ordering::SeqCst);
            asker.position = asker.ask(&self.primary).await.ok();
            asker.shared_by = shared_by;
        }
        asker.position
    }
}
