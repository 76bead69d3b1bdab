//! Results: the stored document, and its parts as rows.
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::views::{InsightView, InsightsView, ResultView};
use crate::{
    api::{
        ApiError, ApiQuery, ApiState, JobView, OwnedJob, paths,
        problems::{OF_RESULT, Problems},
    },
    http::{self, NoParameters},
    insights::{self, SpeakersView},
    reads::ReadConnection,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(result))
        .routes(routes!(speakers))
        .routes(routes!(conversation))
}

/// Get the whole result.
///
/// The provider's `utteranceInsights`, `speakerInsights` and `conversationalInsights`, stored once
/// and served unchanged. `partial` is true if some of it could not be parsed into rows; `issues`
/// says what.
#[utoipa::path(
    get, path = paths::RESULT, operation_id = "getResult", tag = "results",
    params(("id" = Uuid, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = OK, body = ResultView, headers(("ETag" = String))),
        (status = NOT_MODIFIED, description = "Unchanged since the version in `If-None-Match`"),
        Problems<OF_RESULT>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn result(
    State(state): State<ApiState>,
    asked: OwnedJob,
    _query: ApiQuery<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(stored) = state.results.load(&state.reads, asked.caller.id, asked.id).await? else {
        let job = asked.find(&state.db).await?;
        return Err(ApiError::no_result(&job));
    };
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = http::conditional(&headers, stored.etag, (json, stored.document))?;
    not_cached(&mut response);
    Ok(response)
}

/// List the speakers with their names, insights and questions.
///
/// The `ETag` is the job's; send it as `If-Match` when you name the speakers.
#[utoipa::path(
    get, path = paths::SPEAKERS, operation_id = "listSpeakers", tag = "results",
    params(("id" = Uuid, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = OK, body = SpeakersView, headers(("ETag" = String))),
        (status = NOT_MODIFIED, description = "Unchanged since the version in `If-None-Match`"),
        Problems<OF_RESULT>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn speakers(
    State(state): State<ApiState>,
    asked: OwnedJob,
    ApiQuery(_none): ApiQuery<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let read = async |mut db: ReadConnection| {
        let job = asked.completed(&mut *db).await?;
        let view = insights::speakers(&mut db, job.id).await?;
        Ok::<_, ApiError>((job, view))
    };
    let (job, view) = state.reads.run(read).await?;
    let mut response = http::conditional(&headers, JobView::from(job).etag(), Json(view))?;
    not_cached(&mut response);
    Ok(response)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListInsights {
    /// Only insights with these names, such as `KeyPhrases`; may be repeated.
    #[serde(default)]
    name: Vec<String>,
}

/// List the insights into the conversation: summaries, key phrases, topics, tasks.
///
/// Each has its `evidence`: the utterances that overlap it in time. An insight without a duration
/// has the utterance it falls into; one without times has none.
#[utoipa::path(
    get, path = paths::INSIGHTS, operation_id = "listInsights", tag = "results",
    params(("id" = Uuid, Path), ListInsights),
    responses(
        (status = OK, body = InsightsView),
        Problems<OF_RESULT>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn conversation(
    State(state): State<ApiState>,
    asked: OwnedJob,
    ApiQuery(query): ApiQuery<ListInsights>,
) -> Result<Response, ApiError> {
    let read = async |mut db: ReadConnection| {
        let job = asked.completed(&mut *db).await?;
        Ok::<_, ApiError>(insights::conversation_insights(&mut *db, job.id, &query.name).await?)
    };
    let rows = state.reads.run(read).await?;
    let view = InsightsView { data: rows.into_iter().map(InsightView::from).collect() };
    let mut response = Json(view).into_response();
    not_cached(&mut response);
    Ok(response)
}

/// What people said must not be stored by shared caches.
pub fn not_cached(response: &mut Response) {
    let value = HeaderValue::from_static("private, no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
}
