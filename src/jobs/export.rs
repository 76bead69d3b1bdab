//! A caller's jobs, all at once.
use futures_util::stream::BoxStream;
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{Job, JobFilter, JobId, ListPosition, list::statement};
use crate::callers::CallerId;

/// All matching jobs of a caller, oldest first.
pub struct JobExport(QueryBuilder<Postgres>);

impl JobExport {
    /// Starts after this job.
    pub fn new(caller_id: CallerId, filter: &JobFilter, after: Option<JobId>) -> Self {
        Self(statement(caller_id, filter, ListPosition::After(after), None))
    }

    /// Rows in the order Postgres returns them.
    pub fn rows<'a>(&'a mut self, db: &'a mut PgConnection) -> BoxStream<'a, sqlx::Result<Job>> {
        self.0.build_query_as().persistent(false).fetch(db)
    }
}
