//! Exports: all that fits the filters, line by line, in constant memory.
#![expect(unused_qualifications, reason = "what `utoipa::path` makes of `params`")]
use axum::{Extension, extract::State, response::Response};
use futures_util::{TryStreamExt as _, stream::BoxStream};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Postgres, pool::PoolConnection};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::filters::JobFilters;
use crate::{
    callers::{Caller, KeyWatch, WatchedKey},
    config::ApiSettings,
    db,
    http::{
        self, ApiError, ApiQuery, ApiState, Both, BrokenOff, Kind, Lines, Pace, Permit, Problem,
        Turn,
    },
    insights,
    jobs::{self, Filter, JobView},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(jobs)).routes(routes!(utterances))
}

/// How slow an export may be.
#[derive(Debug, Clone, Copy)]
pub struct Exports(Pace);

impl Exports {
    pub fn new(of: &ApiSettings) -> Self {
        Self(Pace {
            patience: of.export_patience,
            bytes_a_second: u32::try_from(of.export_min_rate.as_u64()).unwrap_or(u32::MAX),
            longest: of.export_max_time,
        })
    }

    /// A connection for one of them.
    async fn begin(
        self,
        pool: &PgPool,
        (turn, keys): (&Turn, &KeyWatch),
        caller: &Caller,
    ) -> Result<Begun, ApiError> {
        let permit = turn.hand_over(Kind::Export, caller.id)?;
        let connection = db::for_streaming(pool, self.0.longest).await?;
        Ok(Begun { pool: pool.clone(), connection, permit, key: keys.key(&caller.key_id) })
    }
}

/// What an export holds until it ends.
struct Begun {
    pool: PgPool,
    connection: PoolConnection<Postgres>,
    permit: Permit,
    key: WatchedKey,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResumeJobs {
    /// `id` of the last line that was read whole; the export goes on after it.
    cursor: Option<Uuid>,
}

/// Export jobs, oldest first: one a line, as in the list but without `links`.
///
/// An answer that ends early ends as an incomplete body; go on from its last whole line with `cursor`.
#[utoipa::path(
    get, path = "/v1/exports/jobs.ndjson", operation_id = "exportJobs", tag = "exports",
    params(JobFilters, ResumeJobs),
    responses(
        (status = OK, body = String, content_type = "application/x-ndjson",
            description = "Each line is a `JobView` without `links`",
            example = "{\"id\":\"0199f0c2-a4b8-7c3e-9a4d-5e6f70819203\",\"state\":\"completed\",…}\n"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn jobs(
    State(state): State<ApiState>,
    Extension(exports): Extension<Exports>,
    Extension(turn): Extension<Turn>,
    Extension(keys): Extension<KeyWatch>,
    caller: Caller,
    ApiQuery(Both(filters, resume)): ApiQuery<Both<JobFilters, ResumeJobs>>,
) -> Result<Response, ApiError> {
    let mut export = jobs::Export::new(caller.id, &Filter::from(filters), resume.cursor);
    let begun = exports.begin(&state.db, (&turn, &keys), &caller).await?;
    Ok(http::ndjson("jobs.ndjson", exports.0, async move |lines| {
        let Begun { pool, mut connection, permit: _permit, key } = begun;
        let rows = export.rows(&mut connection).map_ok(JobView::exported);
        write((&pool, &key), Box::pin(rows), lines).await
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResumeUtterances {
    /// `jobId` and `seq` of the last line that was read whole, with a dot between; the export goes on
    /// after it.
    #[param(value_type = Option<String>, example = "0198c0de-0000-7000-8000-000000000000.41")]
    cursor: Option<UtteranceId>,
}

/// Where an utterance is, written `<jobId>.<seq>`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct UtteranceId(Uuid, i32);

impl TryFrom<String> for UtteranceId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let read = || {
            let (job_id, seq) = text.split_once('.')?;
            Some(Self(job_id.parse().ok()?, seq.parse().ok()?))
        };
        read().ok_or("must be a jobId and a seq with a dot between")
    }
}

/// Export what was said: one utterance a line, by job, oldest first.
///
/// The filters choose jobs; every utterance of theirs is exported. An answer that ends early ends as
/// an incomplete body; go on from its last whole line with `cursor`.
#[utoipa::path(
    get, path = "/v1/exports/utterances.ndjson", operation_id = "exportUtterances", tag = "exports",
    params(JobFilters, ResumeUtterances),
    responses(
        (status = OK, body = String, content_type = "application/x-ndjson",
            description = "Each line is an `UtteranceLine`",
            example = "{\"jobId\":\"0198c0de-0000-7000-8000-000000000000\",\"externalId\":\"call-42\",\"seq\":0,\
            \"start\":0.31,\"end\":3.9,\"speakerId\":\"0\",\"speaker\":\"Rachel\",\"text\":\"Thanks for calling.\",\
            \"confidence\":0.97,\"emotion\":\"Joy\",\"emotionConfidence\":0.8}\n"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn utterances(
    State(state): State<ApiState>,
    Extension(exports): Extension<Exports>,
    Extension(turn): Extension<Turn>,
    Extension(keys): Extension<KeyWatch>,
    caller: Caller,
    ApiQuery(Both(filters, resume)): ApiQuery<Both<JobFilters, ResumeUtterances>>,
) -> Result<Response, ApiError> {
    let after = resume.cursor.map(|UtteranceId(job_id, seq)| (job_id, seq));
    let mut export = insights::Export::new(caller.id, &Filter::from(filters), after);
    let begun = exports.begin(&state.db, (&turn, &keys), &caller).await?;
    Ok(http::ndjson("utterances.ndjson", exports.0, async move |lines| {
        let Begun { pool, mut connection, permit: _permit, key } = begun;
        write((&pool, &key), export.rows(&mut connection), lines).await
    }))
}

/// Writes all rows, unless the pool is closed because the process is about to end.
async fn write<T: Serialize + Sync>(
    (pool, key): (&PgPool, &WatchedKey),
    mut rows: BoxStream<'_, sqlx::Result<T>>,
    mut lines: Lines,
) -> Result<Lines, BrokenOff> {
    let all = async {
        while let Some(row) = lines.in_time(rows.try_next()).await?? {
            lines.push(&row).await?;
        }
        Ok(lines)
    };
    let mut closed = pool.close_event();
    tokio::select! {
        written = closed.do_until(all) => written?,
        () = key.ended() => Err(BrokenOff::KeyEnded),
    }
}
