//! Seals what earlier releases, or replicas of one during an upgrade, stored in the clear, and moves sealed values to the
//! current key when an operator asks for it.
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    db, jobs,
    seal::{self, COLUMNS, Column, KeyFault, Resealed, Seal},
    supervise::TaskResult,
};

/// Between two looks for what is stored in the clear; an index answers them.
const INTERVAL: Duration = Duration::from_mins(1);
/// Jobs per transaction.
const BATCH: i64 = 100;

/// The values of one column after a rotation.
#[derive(Debug)]
pub struct Rotated {
    pub column: &'static Column,
    pub rows: usize,
    pub unreadable: usize,
}

#[derive(Debug, Clone)]
pub struct Rotation {
    pub db: PgPool,
    pub seal: Seal,
}

impl Rotation {
    /// Looks regularly until `stop` is canceled.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        loop {
            if let Err(error) = self.round().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot seal stored URLs"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(INTERVAL.mul_f64(rand::random_range(0.9..1.1))) => {}
            }
        }
    }

    /// Checks the keys, and seals every URL that is stored in the clear; returns how many there were. The check also
    /// notes the current key again, in case a rotation has given it up while this process still seals with it.
    pub async fn round(&self) -> Result<usize, KeyFault> {
        seal::register(&self.db, &self.seal).await?;
        let mut sealed = 0;
        loop {
            let mut tx = db::begin(&self.db).await?;
            let batch = jobs::seal_stored(&mut tx, &self.seal, BATCH).await?;
            tx.commit().await?;
            sealed += batch;
            if batch == 0 {
                break;
            }
        }
        if sealed > 0 {
            tracing::info!(jobs = sealed, "URLs that were stored in the clear are sealed now");
        }
        Ok(sealed)
    }

    /// Moves every sealed value to the current key. Can be stopped and repeated at any time, beside running services.
    pub async fn rotate(&self, mut told: impl FnMut(Rotated)) -> sqlx::Result<()> {
        for column in COLUMNS {
            let (mut rotated, mut after) =
                (Rotated { column, rows: 0, unreadable: 0 }, Uuid::nil());
            loop {
                let Resealed { rows, unreadable, next } =
                    column.reseal(&self.db, &self.seal, after).await?;
                rotated.rows += rows;
                rotated.unreadable += unreadable;
                match next {
                    Some(last) => after = last,
                    None => break,
                }
            }
            told(rotated);
        }
        Ok(())
    }

    /// How many values a key has sealed, in all columns.
    pub async fn sealed_with(&self, key_id: &str) -> sqlx::Result<i64> {
        let mut sum = 0;
        for column in COLUMNS {
            sum += column.count(&self.db, key_id).await?;
        }
        Ok(sum)
    }
}
