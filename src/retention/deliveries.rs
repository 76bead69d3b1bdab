//! `retention.deliveries`: raw deliveries, with their bytes.
use chrono::{DateTime, Utc};

use super::{
    Kind,
    run::{Batch, MonthlyRule, Step},
};
use crate::{
    deliveries,
    jobs::{Change, JobId},
};

/// Jobs per batch.
const BATCH: i64 = 200;

#[derive(Debug)]
pub struct Deliveries {
    pub cutoff: DateTime<Utc>,
}

impl MonthlyRule for Deliveries {
    fn cutoff(&self) -> DateTime<Utc> {
        self.cutoff
    }

    fn covers(&self, table: &str) -> bool {
        Kind::Deliveries.tables().contains(&table)
    }

    async fn batch(
        &self,
        step: Step,
        tx: &mut Change<'_>,
        between: (JobId, JobId),
    ) -> sqlx::Result<Batch> {
        if step == Step::BeforeDrop {
            return Ok(Batch::default());
        }
        let ids = deliveries::due(&mut ***tx, self.cutoff, between, BATCH).await?;
        let mut batch = Batch::of(&ids);
        batch.count("deliveries", deliveries::remove(tx, &ids).await?);
        Ok(batch)
    }
}
