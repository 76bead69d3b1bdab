//! The processes that serve the API now. Each enforces its part of the rate limits, so it must know how many there are.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::supervise;

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A process that was last seen longer ago does not serve any more.
const GONE_AFTER: Duration = Duration::from_secs(20);

/// Clones are the same process.
#[derive(Debug, Clone)]
pub struct Replicas {
    id: Uuid,
    count: Arc<AtomicU32>,
}

impl Default for Replicas {
    fn default() -> Self {
        Self { id: Uuid::now_v7(), count: Arc::new(AtomicU32::new(1)) }
    }
}

impl Replicas {
    /// How many there were when this was last looked at, including this one.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Records that this process serves, and counts those that do.
    pub async fn look(&self, db: &PgPool) -> sqlx::Result<()> {
        let others = sqlx::query_scalar!(
            r#"
            with this as (
                insert into aftercall.api_replicas (id) values ($1)
                on conflict on constraint api_replicas_pkey do update set seen_at = now()
            ), gone as (
                delete from aftercall.api_replicas where id in (
                    select id from aftercall.api_replicas
                    where id <> $1 and seen_at < now() - 3 * make_interval(secs => $2)
                    for update skip locked)
            )
            select count(*) as "others!" from aftercall.api_replicas
            where id <> $1 and seen_at >= now() - make_interval(secs => $2)
            "#,
            self.id,
            GONE_AFTER.as_secs_f64(),
        )
        .fetch_one(db)
        .await?;
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        self.count.store(others.saturating_add(1), Ordering::Relaxed);
        Ok(())
    }

    /// Looks every few seconds until `stop` is canceled. While Postgres is away, the last count holds.
    pub async fn run(self, db: PgPool, stop: CancellationToken) -> supervise::TaskResult {
        loop {
            if let Err(error) = self.look(&db).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "replicas not counted");
            }
            if stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
                break;
            }
        }
        // The others may use this process's part at once.
        if let Err(error) = self.leave(&db).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "replica not removed");
        }
        Ok(())
    }

    async fn leave(&self, db: &PgPool) -> sqlx::Result<()> {
        sqlx::query!("delete from aftercall.api_replicas where id = $1", self.id)
            .execute(db)
            .await?;
        Ok(())
    }
}
