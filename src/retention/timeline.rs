//! `retention.timeline`: the events of jobs.
use chrono::{DateTime, Utc};

use super::{
    Kind,
    run::{Batch, MonthlyRule, Step},
};
use crate::jobs::{self, Change, JobId};

/// Jobs per batch.
const BATCH: i64 = 500;

#[derive(Debug)]
pub struct Timeline {
    pub cutoff: DateTime<Utc>,
}

impl MonthlyRule for Timeline {
    fn cutoff(&self) -> DateTime<Utc> {
        self.cutoff
    }

    fn covers(&self, table: &str) -> bool {
        Kind::Timeline.tables().contains(&table)
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
        let ids = jobs::due_timelines(&mut ***tx, self.cutoff, between, BATCH).await?;
        let mut batch = Batch::of(&ids);
        batch.count("job_events", jobs::remove_timelines(tx, &ids).await?);
        Ok(batch)
    }
}
