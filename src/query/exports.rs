//! Exports: everything that matches the filters, line by line, in constant memory.
use axum::{extract::State, response::Response};
use futures_util::{TryStreamExt as _, stream::BoxStream};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Postgres, pool::PoolConnection};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Activity, ApiError, ApiQuery, ApiState, JobFilters, JobView, RequestPermit,
        problems::{Code, Problems, codes},
    },
    callers::{Caller, CallerId, WatchedKey},
    db,
    http::{self, CombinedQuery, NdjsonWriter, Permit, StreamError},
    insights,
    jobs::{self, JobFilter, JobId},
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
    connection: PoolConnection<Postgres>,
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
    let connection = db::for_streaming(&state.db, state.export_pace.longest).await?;
    let key = state.watched_keys.key(&caller.key_id);
    Ok(Begun { pool: state.db.clone(), connection, permit, key })
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
    let mut export = jobs::JobExport::new(caller.id, &JobFilter::from(filters), resume.cursor);
    let begun = begin(&state, &request, &caller).await?;
    Ok(http::ndjson("jobs.ndjson", state.export_pace, async move |lines| {
        let Begun { pool, mut connection, permit: _permit, key } = begun;
        let rows = export.rows(&mut connection).map_ok(JobView::exported);
        write((&pool, &key), Box::pin(rows), lines).await
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
    let after = resume.cursor.map(|UtteranceId(job_id, seq)| (job_id, seq));
    let mut export = insights::UtteranceExport::new(caller.id, &JobFilter::from(filters), after);
    let begun = begin(&state, &request, &caller).await?;
    Ok(http::ndjson("utterances.ndjson", state.export_pace, async move |lines| {
        let Begun { pool, mut connection, permit: _permit, key } = begun;
        write((&pool, &key), export.rows(&mut connection), lines).await
    }))
}

/// Writes all rows, unless the pool is closed because the process is shutting down.
async fn write<T: Serialize + Sync>(
    (pool, key): (&PgPool, &WatchedKey),
    mut rows: BoxStream<'_, sqlx::Result<T>>,
    mut lines: NdjsonWriter,
) -> Result<NdjsonWriter, StreamError> {
    let all = async {
        while let Some(row) = lines.in_time(rows.try_next()).await?? {
            lines.push(&row).await?;
        }
        Ok(lines)
    };
    let mut closed = pool.close_event();
    tokio::select! {
        written = closed.do_until(all) => written?,
        () = key.ended() => Err(StreamError::Unauthorized),
    }
}
