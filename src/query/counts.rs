//! `GET /v1/jobs/counts`.
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{ApiError, ApiQuery, ApiState, JobFiltersOfAnyState, problems::Problems},
    callers::Caller,
    jobs::{self, JobFilter, State as JobState, StateCounts},
    reads::ReadConnection,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How many jobs are in each state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "data": {
        "queued": 3, "submitting": 1, "submitted": 12, "completed": 4810, "failed": 7, "timed_out": 0,
        "canceled": 2,
    },
    "isComplete": true,
}))]
struct CountsView {
    data: CountsByState,
    /// False if only the newest jobs were counted: there may be more than the numbers say.
    is_complete: bool,
}

/// One member for each state.
#[derive(Debug, Default, Serialize, ToSchema)]
struct CountsByState {
    queued: i64,
    submitting: i64,
    submitted: i64,
    completed: i64,
    failed: i64,
    timed_out: i64,
    canceled: i64,
}

impl From<StateCounts> for CountsView {
    fn from(counts: StateCounts) -> Self {
        let mut data = CountsByState::default();
        for (state, count) in counts.by_state {
            *match state {
                JobState::Queued => &mut data.queued,
                JobState::Submitting => &mut data.submitting,
                JobState::Submitted => &mut data.submitted,
                JobState::Completed => &mut data.completed,
                JobState::Failed => &mut data.failed,
                JobState::TimedOut => &mut data.timed_out,
                JobState::Canceled => &mut data.canceled,
            } = count;
        }
        Self { data, is_complete: counts.is_complete }
    }
}

/// Count jobs by state.
///
/// Takes the filters of the list. At most the newest 10,000 completed jobs and the newest 10,000 others are counted;
/// `isComplete` says whether that was all of them.
#[utoipa::path(
    get, path = "/v1/jobs/counts", operation_id = "countJobs", tag = "jobs",
    params(JobFiltersOfAnyState),
    responses(
        (status = OK, body = CountsView),
        Problems,
    ),
    security(("key" = ["jobs:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    ApiQuery(JobFiltersOfAnyState(filters)): ApiQuery<JobFiltersOfAnyState>,
) -> Result<Json<CountsView>, ApiError> {
    let filter = JobFilter::from(filters);
    let count = async |mut db: ReadConnection| {
        jobs::count_by_state(&mut db.begin_reading().await?, caller.id, &filter).await
    };
    let counts = state.reads.run(count).await?;
    Ok(Json(counts.into()))
}
