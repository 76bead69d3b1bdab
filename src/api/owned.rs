//! The job named in a request's path: the caller's own, or 404.
use axum::{extract::FromRequestParts, http::request::Parts};
use sqlx::PgExecutor;

use super::{ApiError, ApiPath, ApiState};
use crate::{
    callers::Caller,
    jobs::{self, Job, JobId},
};

/// The caller and the id of the requested job. [`OwnedJob::find`] looks the job up once the rest of the request is
/// known to be valid, so that an invalid request gets the same response whether or not the job exists.
#[derive(Debug)]
pub struct OwnedJob {
    pub caller: Caller,
    pub id: JobId,
}

impl FromRequestParts<ApiState> for OwnedJob {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let ApiPath(id) = ApiPath::from_request_parts(parts, state).await?;
        Ok(Self::new(caller, id))
    }
}

impl OwnedJob {
    pub fn new(caller: Caller, id: JobId) -> Self {
        tracing::Span::current().record("job_id", tracing::field::display(id));
        Self { caller, id }
    }

    /// The current state of the job.
    ///
    /// # Errors
    /// `job-not-found`, also when the job belongs to another caller.
    pub async fn find(&self, db: impl PgExecutor<'_>) -> Result<Job, ApiError> {
        let job = jobs::find(db, self.caller.id, self.id).await?;
        job.ok_or_else(|| ApiError::JobNotFound(self.id.to_string()))
    }

    /// The job, if it has a result.
    ///
    /// # Errors
    /// `job-not-found`, `result-not-available` before there is a result, or `result-expired` after.
    pub async fn completed(&self, db: impl PgExecutor<'_>) -> Result<Job, ApiError> {
        let job = self.find(db).await?;
        if job.has_result() { Ok(job) } else { Err(ApiError::no_result(&job)) }
    }
}
