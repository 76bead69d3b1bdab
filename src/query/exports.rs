//! Exports: everything that matches the filters, line by line, in constant memory.
use axum::{extract::State, response::Response};
use futures_util::{TryStreamExt as _, stream::BoxStream};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::Mutex;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Activity, ApiError, ApiQuery, ApiState, JobFilters, JobView, RequestPermit,
        problems::{Code, Problems, codes},
    },
    callers::{Caller, CallerId, WatchedKey},
    http::{self, CombinedQuery, NdjsonWriter, Permit, StreamError},
    insights,
    jobs::{self, JobFilter, JobId},
    reads::{ReadConnection, Reads},
};

/// The schemas of lines: no response is declared to be one.
#[derive(OpenApi)]
#[openapi(components(schemas(insights::UtteranceLine)))]
struct Lines;

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Lines::openapi()).routes(routes!(jobs)).routes(routes!(utterances))
}

/// What an export holds until it ends.
struct Begun {
    pool: PgPool,
    reads: Reads,
    connection: ReadConnection,
    permit: Permit<CallerId>,
    key: WatchedKey,
}

/// A connection for an export.
async fn begin(
    state: &ApiState,
    request: &RequestPermit,
    caller: &Caller,
) -> Result<Begun, ApiError> {
    let permit = request.hand_over(Activity::Export, caller.id)?;
    let connection = state.reads.acquire().await?;
    let key = state.watched_keys.key(&caller.key_id);
    Ok(Begun { pool: state.db.clone(), reads: state.reads.clone(), connection, permit, key })
}

impl Begun {
    /// Runs `write`, unless the pool is closed because the process is shutting down. It runs again, and goes on after the
    /// last line, if the replica fails: that cancels long statements in the way of what it must replay.
    async fn run(
        self,
        write: impl AsyncFnOnce(ReadConnection) -> Result<(), StreamError> + Clone,
    ) -> Result<(), StreamError> {
        let Self { pool, reads, connection, permit: _permit, key } = self;
        let mut closed = pool.close_event();
        tokio::select! {
            written = closed.do_until(reads.run_on(connection, write)) => written?,
            () = key.ended() => Err(StreamError::Unauthorized),
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResumeJobs {
    /// `id` of the last complete line; the export continues after it.
    #[param(value_type = Option<Uuid>)]
    cursor: Option<JobId>,
}

/// Export jobs, oldest first: one per line, as in the list but without `links`.
///
/// If the export fails midway, the response ends as an incomplete body; resume after its last complete
/// line with `cursor`.
#[utoipa::path(
    get, path = "/v1/exports/jobs.ndjson", operation_id = "exportJobs", tag = "exports",
    params(JobFilters, ResumeJobs),
    responses(
        (status = OK, body = String, content_type = "application/x-ndjson",
            description = "Each line is a `JobView` without `links`",
            example = "{\"id\":\"0199f0c2-a4b8-7c3e-9a4d-5e6f70819203\",\"state\":\"completed\",…}\n"),
        Problems<{ codes(&[Code::TooManyExports]) }>,
    ),
    security(("key" = ["jobs:read"])),
    extensions(("x-rate-weight" = json!(20))),
)]
async fn jobs(
    State(state): State<ApiState>,
    caller: Caller,
    request: RequestPermit,
    ApiQuery(CombinedQuery(filters, resume)): ApiQuery<CombinedQuery<JobFilters, ResumeJobs>>,
) -> Result<Response, ApiError> {
    let (filter, pace) = (JobFilter::from(filters), state.export_pace);
    let begun = begin(&state, &request, &caller).await?;
    Ok(http::ndjson("jobs.ndjson", pace, async move |lines| {
        let written = Mutex::new((lines, resume.cursor));
        let write = async |mut db: ReadConnection| {
            let (lines, last) = &mut *written.lock().await;
            let mut export = jobs::JobExport::new(caller.id, &filter, *last);
            let mut tx = db.stream(pace.longest).await?;
            let rows = Box::pin(export.rows(&mut tx).map_ok(JobView::exported));
            push_all(rows, lines, |job| *last = Some(job.id)).await
        };
        begun.run(write).await?;
        Ok(written.into_inner().0)
    }))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResumeUtterances {
    /// `jobId` and `seq` of the last complete line, joined by a dot; the export continues after it.
    #[param(value_type = Option<String>, example = "0198c0de-0000-7000-8000-000000000000.41")]
    cursor: Option<UtteranceId>,
}

/// The position of an utterance, written `<jobId>.<seq>`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct UtteranceId(JobId, i32);

impl TryFrom<String> for UtteranceId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let read = || {
            let (job_id, seq) = text.split_once('.')?;
            Some(Self(job_id.parse().ok()?, seq.parse().ok()?))
        };
        read().ok_or("must be a jobId and a seq joined by a dot")
    }
}

/// Export utterances: one per line, by job, oldest job first.
///
/// The filters select jobs; all utterances of those jobs are exported. If the export fails midway,
/// the response ends as an incomplete body; resume after its last complete line with `cursor`.
#[utoipa::path(
    get, path = "/v1/exports/utterances.ndjson", operation_id = "exportUtterances", tag = "exports",
    params(JobFilters, ResumeUtterances),
    responses(
        (status = OK, body = String, content_type = "application/x-ndjson",
            description = "Each line is an `UtteranceLine`",
            example = "{\"jobId\":\"0198c0de-0000-7000-8000-000000000000\",\"externalId\":\"call-42\",\"seq\":0,\
            \"start\":0.31,\"end\":3.9,\"speakerId\":\"0\",\"speaker\":\"Rachel\",\"text\":\"Thanks for calling.\",\
            \"confidence\":0.97,\"emotion\":\"Joy\",\"emotionConfidence\":0.8}\n"),
        Problems<{ codes(&[Code::TooManyExports]) }>,
    ),
    security(("key" = ["transcript:read"])),
    extensions(("x-rate-weight" = json!(20))),
)]
async fn utterances(
    State(state): State<ApiState>,
    caller: Caller,
    request: RequestPermit,
    ApiQuery(CombinedQuery(filters, resume)): ApiQuery<CombinedQuery<JobFilters, ResumeUtterances>>,
) -> Result<Response, ApiError> {
    let (filter, pace) = (JobFilter::from(filters), state.export_pace);
    let begun = begin(&state, &request, &caller).await?;
    Ok(http::ndjson("utterances.ndjson", pace, async move |lines| {
        let last = resume.cursor.map(|UtteranceId(job_id, seq)| (job_id, seq));
        let written = Mutex::new((lines, last));
        let write = async |mut db: ReadConnection| {
            let (lines, last) = &mut *written.lock().await;
            let mut export = insights::UtteranceExport::new(caller.id, &filter, *last);
            let mut tx = db.stream(pace.longest).await?;
            push_all(export.rows(&mut tx), lines, |row| *last = Some((row.job_id, row.seq))).await
        };
        begun.run(write).await?;
        Ok(written.into_inner().0)
    }))
}

/// Writes all rows. `written` is told of each.
async fn push_all<T: Serialize>(
    mut rows: BoxStream<'_, sqlx::Result<T>>,
    lines: &mut NdjsonWriter,
    mut written: impl FnMut(&T),
) -> Result<(), StreamError> {
    while let Some(row) = lines.in_time(rows.try_next()).await?? {
        lines.push(&row).await?;
        written(&row);
    }
    Ok(())
}
