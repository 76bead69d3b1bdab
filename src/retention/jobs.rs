//! `retention.jobs`: jobs, with everything that is stored about them. Sums over them stay in the statistics.
use chrono::{DateTime, Utc};

use super::{
    Kind,
    run::{Batch, MonthlyRule, Step},
};
use crate::{
    deliveries, insights,
    jobs::{self, Change, JobId},
    stats,
};

/// Jobs per batch: with all of their rows, and without those in partitions.
const BATCH: i64 = 100;
const ALONE: i64 = 500;

#[derive(Debug)]
pub struct Jobs {
    pub cutoff: DateTime<Utc>,
}

impl MonthlyRule for Jobs {
    fn cutoff(&self) -> DateTime<Utc> {
        self.cutoff
    }

    fn covers(&self, table: &str) -> bool {
        Kind::of_table(table).is_some_and(|(kind, _)| kind.is_partitioned())
    }

    fn covers_all_months(&self) -> bool {
        true
    }

    async fn batch(
        &self,
        step: Step,
        tx: &mut Change<'_>,
        between: (JobId, JobId),
    ) -> sqlx::Result<Batch> {
        let limit = if step == Step::BeforeDrop { ALONE } else { BATCH };
        let ids = jobs::lock_due(tx, self.cutoff, between, false, limit).await?;
        let mut batch = Batch::of(&ids);
        if step == Step::Delete {
            stats::uncount_texts(tx, &ids).await?;
            for (table, rows) in insights::remove(tx, &ids).await? {
                batch.count(table, rows);
            }
            batch.count("deliveries", deliveries::remove(tx, &ids).await?);
            batch.count("job_events", jobs::remove_timelines(tx, &ids).await?);
        }
        for (table, rows) in jobs::remove(tx, &ids).await? {
            batch.count(table, rows);
        }
        Ok(batch)
    }
}
