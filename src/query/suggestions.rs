//! `GET /v1/suggestions`.
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{ApiError, ApiQuery, ApiState, problems::Problems},
    callers::Caller,
    http::Limit,
    jobs::{self, Suggestion},
    reads::ReadConnection,
    stats::{self, SuggestedField},
};

const DEFAULT_LIMIT: i64 = 10;

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(suggest))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SuggestQuery {
    /// What the values are of. Each can be a filter of jobs.
    #[param(inline, example = "tag")]
    field: Field,
    /// How the values begin, in the same case.
    #[param(example = "sup")]
    q: Option<String>,
    /// Values in the response; default 10.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Field {
    Tag,
    ExternalId,
    Emotion,
    Insight,
    Language,
}

/// Values that occur.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "data": [{ "value": "support", "jobs": 12 }, { "value": "supply", "jobs": null }] }))]
struct SuggestionsView {
    data: Vec<SuggestionView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SuggestionView {
    value: String,
    /// Jobs with this value: for emotions and languages, ended ones as the statistics count them. Null if there are
    /// more than 1,000 with a tag or an external id, and for insights.
    #[schema(required)]
    jobs: Option<i64>,
}

impl From<Suggestion> for SuggestionView {
    fn from(found: Suggestion) -> Self {
        Self { value: found.value, jobs: found.jobs }
    }
}

/// Suggest values for a filter of jobs.
///
/// Tags and external ids are those of all jobs, in the order of their bytes. Emotions, insights and languages are those
/// of ended jobs, and new ones appear after a few seconds; the values of most jobs come first.
#[utoipa::path(
    get, path = "/v1/suggestions", operation_id = "suggestValues", tag = "jobs",
    params(SuggestQuery),
    responses(
        (status = OK, body = SuggestionsView),
        Problems,
    ),
    security(("key" = ["jobs:read"])),
)]
async fn suggest(
    State(state): State<ApiState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<SuggestQuery>,
) -> Result<Json<SuggestionsView>, ApiError> {
    let caller_id = caller.id;
    let prefix = query.q.as_deref().unwrap_or_default();
    let limit = query.limit.map_or(DEFAULT_LIMIT, Limit::get);
    let read = async |mut db: ReadConnection| {
        let db = &mut *db;
        let of_ended = match query.field {
            Field::Tag => return jobs::suggest_tags(db, caller_id, prefix, limit).await,
            Field::ExternalId => {
                return jobs::suggest_external_ids(db, caller_id, prefix, limit).await;
            }
            Field::Emotion => SuggestedField::Emotion,
            Field::Insight => SuggestedField::Insight,
            Field::Language => SuggestedField::Language,
        };
        stats::suggest(db, of_ended, caller_id, prefix, limit).await
    };
    let found = state.reads.run(read).await?;
    Ok(Json(SuggestionsView { data: found.into_iter().map(SuggestionView::from).collect() }))
}
