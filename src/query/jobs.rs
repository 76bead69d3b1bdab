//! Jobs, single and listed, and their timelines.
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::views::EventView;
use crate::{
    api::{
        Activity, ApiError, ApiQuery, ApiState, JobFilters, JobView, OwnedJob, QueueReason,
        QueueView, RequestPermit, paths,
        problems::{Code, OF_JOB, Problems, codes},
    },
    callers::Caller,
    http::{self, CombinedQuery, Limit, Page, Wait},
    jobs::{self, Job, JobFilter, JobId, ListPosition, QueuePlace, State as JobState},
    provider::gate::{self, Forecast},
    reads::ReadConnection,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(list)).routes(routes!(timeline))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShowJob {
    /// Seconds to wait for the job to become final. `Prefer: wait=30` (RFC 7240) does the same.
    #[param(minimum = 0, maximum = 60, value_type = Option<i64>, example = 30)]
    wait: Option<Wait>,
}

/// Show one job.
///
/// With `wait`, the response is sent once the job is final, or after the wait with the job's current state.
#[utoipa::path(
    get, path = paths::JOB, operation_id = "getJob", tag = "jobs",
    params(
        ("id" = Uuid, Path),
        ShowJob,
        ("If-None-Match" = Option<String>, Header),
        ("Prefer" = Option<String>, Header, description = "`wait=30`; the maximum is 60, and larger values count as 60"),
    ),
    responses(
        (status = OK, body = JobView, headers(
            ("ETag" = String),
            ("Preference-Applied" = Option<String>, description = "The wait that was applied"),
        )),
        (status = NOT_MODIFIED, description = "Unchanged since the version in `If-None-Match`"),
        Problems<{ OF_JOB | codes(&[Code::TooManyWaits]) }>,
    ),
    security(("key" = ["jobs:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    asked: OwnedJob,
    permit: RequestPermit,
    ApiQuery(query): ApiQuery<ShowJob>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let preferred = Wait::preferred(&headers).filter(|_| query.wait.is_none());
    let job = match query.wait.or(preferred) {
        Some(wait) => final_within(wait, &permit, &state, &asked).await?,
        None => asked.find(&state.db).await?,
    };
    let mut view = JobView::from(job);
    if view.state == JobState::Queued
        && let Some(place) = jobs::place(&state.db, asked.id).await?
    {
        let forecast = gate::forecast(&state.db, &state.gates, place.position).await?;
        view.queue = Some(queue_view(&place, &forecast));
    }
    let etag = view.etag();
    let mut response = http::conditional(&headers, etag, Json(view))?;
    let applied = preferred.map(|wait| format!("wait={}", wait.seconds()));
    if let Some(applied) = applied.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert("preference-applied", applied);
    }
    Ok(response)
}

fn queue_view(place: &QueuePlace, forecast: &Forecast) -> QueueView {
    let reason = if place.quota_resets_at.is_some() {
        QueueReason::Quota
    } else if place.retries_at.is_some() {
        QueueReason::Backoff
    } else if forecast.is_refusing {
        QueueReason::Refused
    } else if forecast.blocked_until.is_some() {
        QueueReason::Penalty
    } else if forecast.is_free {
        QueueReason::Turn
    } else {
        QueueReason::RateLimit
    };
    let not_before = place.quota_resets_at.max(place.retries_at);
    QueueView {
        position: place.position,
        eta: not_before.map_or(forecast.at, |at| at.max(forecast.at)),
        reason,
        blocked_until: forecast.blocked_until,
    }
}

/// The job once it is final, or as it is at the end of the wait.
async fn final_within(
    wait: Wait,
    permit: &RequestPermit,
    state: &ApiState,
    asked: &OwnedJob,
) -> Result<Job, ApiError> {
    let waiting = state.feed.wait(asked.id);
    let job = asked.find(&state.db).await?;
    if job.state.is_final() {
        return Ok(job);
    }
    permit.count_as(Activity::Wait, asked.caller.id)?;
    let key = state.watched_keys.key(&asked.caller.key_id);
    let finished = tokio::select! {
        finished = waiting.finished(wait.duration()) => finished,
        () = key.ended() => return Err(ApiError::Unauthorized),
    };
    match finished {
        Some(job) => Ok(job),
        None => asked.find(&state.db).await,
    }
}

/// List jobs.
///
/// Following `nextCursor` neither repeats nor skips a job that existed on the first page and matches
/// the filters throughout.
#[utoipa::path(
    get, path = "/v1/jobs", operation_id = "listJobs", tag = "jobs",
    params(JobFilters, ListJobs),
    responses(
        (status = OK, body = Page<JobView>, headers(("Link" = String))),
        Problems<{ codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["jobs:read"])),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    ApiQuery(CombinedQuery(filters, query)): ApiQuery<CombinedQuery<JobFilters, ListJobs>>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or_default();
    let filter = JobFilter::from(filters);
    let sort = query.sort.unwrap_or_default();
    let listing = format!("jobs {} {sort:?} {}", caller.id, http::conditions(&filter));
    let position = list_position(&state, &listing, sort, query.cursor.as_deref())?;
    let read = async |mut db: ReadConnection| {
        jobs::list(&mut db.begin_reading().await?, caller.id, &filter, position, limit.get() + 1)
            .await
    };
    let rows = state.reads.run(read).await?;
    let seal = |job: &Job| state.cursors.seal(&listing, &sort.position(job));
    let page = Page::new(rows, limit, seal, JobView::from);
    Ok(page.answer(&uri))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListJobs {
    /// Default `-createdAt`, newest first. `-completedAt` lists only completed jobs.
    #[param(inline)]
    sort: Option<JobSort>,
    /// Jobs per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page; the filters must be the same.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
enum JobSort {
    #[serde(rename = "createdAt")]
    Oldest,
    #[default]
    #[serde(rename = "-createdAt")]
    Newest,
    #[serde(rename = "-completedAt")]
    LastCompleted,
}

impl JobSort {
    /// The position that a cursor holds: the last job of a page.
    fn position(self, job: &Job) -> Vec<u8> {
        let id = job.id.uuid().into_bytes();
        match self {
            Self::Oldest | Self::Newest => id.to_vec(),
            Self::LastCompleted => {
                let micros = job.finished_at.map_or(0, |at| at.timestamp_micros());
                [&micros.to_be_bytes()[..], &id].concat()
            }
        }
    }
}

/// The position that the cursor names.
fn list_position(
    state: &ApiState,
    listing: &str,
    sort: JobSort,
    cursor: Option<&str>,
) -> Result<ListPosition, ApiError> {
    let id = || {
        let open =
            |cursor| state.cursors.open(listing, cursor).map(|id| Uuid::from_bytes(id).into());
        cursor.map(open).transpose()
    };
    Ok(match sort {
        JobSort::Oldest => ListPosition::After(id()?),
        JobSort::Newest => ListPosition::Before(id()?),
        JobSort::LastCompleted => {
            let end = |cursor| end_of(state.cursors.open(listing, cursor)?);
            ListPosition::CompletedBefore(cursor.map(end).transpose()?)
        }
    })
}

/// When the last job of the previous page was completed, and its id.
fn end_of(position: [u8; 24]) -> Result<(DateTime<Utc>, JobId), ApiError> {
    let (micros, id) = position.split_at(8);
    let micros = micros.try_into().map(i64::from_be_bytes).ok();
    let at = micros.and_then(DateTime::from_timestamp_micros);
    at.zip(Uuid::from_slice(id).ok().map(JobId::from)).ok_or(ApiError::CursorMismatch)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Rows per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// Show what happened to a job, oldest first.
///
/// `seq` has no gaps: it is the job's version after the event.
#[utoipa::path(
    get, path = paths::TIMELINE, operation_id = "getTimeline", tag = "jobs",
    params(("id" = Uuid, Path), PageQuery),
    responses(
        (status = OK, body = Page<EventView>),
        Problems<{ OF_JOB | codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["jobs:read"])),
)]
async fn timeline(
    State(state): State<ApiState>,
    asked: OwnedJob,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<EventView>>, ApiError> {
    let limit = query.limit.unwrap_or_default();
    let listing = format!("timeline {}", asked.id);
    let read = async |mut db: ReadConnection| {
        let job = asked.find(&mut *db).await?;
        let after = position(&state, &listing, query.cursor.as_deref())?.unwrap_or(0);
        Ok::<_, ApiError>(jobs::timeline(&mut *db, job.id, after, limit.get() + 1).await?)
    };
    let rows = state.reads.run(read).await?;
    let seal = |row: &jobs::TimelineEvent| state.cursors.seal(&listing, &row.seq.to_be_bytes());
    Ok(Json(Page::new(rows, limit, seal, EventView::from)))
}

/// The seq in a cursor.
pub fn position(
    state: &ApiState,
    listing: &str,
    cursor: Option<&str>,
) -> Result<Option<i32>, ApiError> {
    let open = |cursor| state.cursors.open::<4>(listing, cursor).map(i32::from_be_bytes);
    Ok(cursor.map(open).transpose()?)
}
