//! Results: the stored document, and its parts as rows.
#![expect(unused_qualifications, reason = "what `utoipa::path` makes of `params`")]
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    jobs::{PageQuery, owned, position},
    together::Together,
    views::{InsightView, InsightsView, SpeakersView, UtteranceView},
};
use crate::{
    callers::Caller,
    http::{self, ApiError, ApiPath, ApiQuery, ApiState, Page, Problem},
    insights::{self, UtteranceRow},
    jobs::{Job, State as JobState},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(result))
        .routes(routes!(utterances))
        .routes(routes!(speakers))
        .routes(routes!(conversation))
}

/// Get the whole result.
///
/// The provider's `utteranceInsights`, `speakerInsights` and `conversationalInsights` member for
/// member, stored once and served as stored. `partial` tells that some of it could not be read into
/// rows; `issues` says what.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/result", operation_id = "getResult", tag = "results",
    params(("id" = Uuid, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = OK, body = Object, headers(("ETag" = String))),
        (status = NOT_MODIFIED, description = "The result in If-None-Match is still the one"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn result(
    State(state): State<ApiState>,
    Extension(together): Extension<Together>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(stored) = together.result(&state.db, caller.id, id).await? else {
        return Err(no_result(&owned(&state, &caller, id).await?));
    };
    let sha = http::hex(&stored.document_sha);
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = http::conditional(&headers, &format!("\"{sha}\""), (json, stored.document))?;
    not_cached(&mut response);
    Ok(response)
}

/// List what was said, in the provider's order.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/utterances", operation_id = "listUtterances", tag = "results",
    params(("id" = Uuid, Path), PageQuery),
    responses(
        (status = OK, body = Page<UtteranceView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn utterances(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Response, ApiError> {
    let job = finished(&state, &caller, id).await?;
    let limit = query.limit.unwrap_or_default();
    let listing = format!("utterances {}", job.id);
    let after = position(&state, &listing, query.cursor.as_deref())?.unwrap_or(-1);
    let rows = insights::utterances(&state.db, job.id, after, limit.get() + 1).await?;
    let seal = |row: &UtteranceRow| state.cursors.seal(&listing, &row.seq.to_be_bytes());
    let mut response = Json(Page::new(rows, limit, seal, UtteranceView::from)).into_response();
    not_cached(&mut response);
    Ok(response)
}

/// List the speakers with their insights and questions.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/speakers", operation_id = "listSpeakers", tag = "results",
    params(("id" = Uuid, Path)),
    responses(
        (status = OK, body = SpeakersView),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn speakers(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Response, ApiError> {
    let job = finished(&state, &caller, id).await?;
    let view = SpeakersView::new(
        insights::speakers(&state.db, job.id).await?,
        insights::speaker_insights(&state.db, job.id).await?,
        insights::questions(&state.db, job.id).await?,
    );
    let mut response = Json(view).into_response();
    not_cached(&mut response);
    Ok(response)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListInsights {
    /// Only the values of the insight with this name, such as `KeyPhrases`.
    name: Option<String>,
}

/// List the insights about the conversation: summaries, key phrases, topics, tasks.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/insights", operation_id = "listInsights", tag = "results",
    params(("id" = Uuid, Path), ListInsights),
    responses(
        (status = OK, body = InsightsView),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = [])),
)]
async fn conversation(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<ListInsights>,
) -> Result<Response, ApiError> {
    let job = finished(&state, &caller, id).await?;
    let rows = insights::conversation_insights(&state.db, job.id, query.name.as_deref()).await?;
    let view = InsightsView { data: rows.into_iter().map(InsightView::from).collect() };
    let mut response = Json(view).into_response();
    not_cached(&mut response);
    Ok(response)
}

/// The caller's job, if it has a result.
pub async fn finished(state: &ApiState, caller: &Caller, id: Uuid) -> Result<Job, ApiError> {
    let job = owned(state, caller, id).await?;
    if job.state == JobState::Completed { Ok(job) } else { Err(no_result(&job)) }
}

fn no_result(job: &Job) -> ApiError {
    ApiError::ResultNotAvailable(job.state.name())
}

/// What people said is nothing for caches on the way.
pub fn not_cached(response: &mut Response) {
    let value = HeaderValue::from_static("private, no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
}
