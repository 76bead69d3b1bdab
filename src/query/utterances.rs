//! The utterances of a job, by speaker, emotion, time and confidence.
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{jobs::position, results::not_cached, search, views::UtteranceView};
use crate::{
    api::{
        ApiError, ApiQuery, ApiState, OwnedJob, paths,
        problems::{Code, OF_RESULT, Problems, codes},
    },
    http::{Limit, Page, conditions},
    insights::{self, UtteranceFilter, UtteranceRow},
    reads::ReadConnection,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(utterances))
}

/// Seconds from the start of the recording.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Seconds(f64);

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, &'static str> {
        let is_time = seconds.is_finite() && seconds >= 0.0;
        is_time.then_some(Self(seconds)).ok_or("must be seconds from the start, 0 or more")
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Confidence(f64);

impl TryFrom<f64> for Confidence {
    type Error = &'static str;

    fn try_from(share: f64) -> Result<Self, &'static str> {
        (0.0..=1.0).contains(&share).then_some(Self(share)).ok_or("must be 0 to 1")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Include {
    /// `wordTimings`
    Words,
    /// `insights`
    Evidence,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListUtterances {
    /// Only utterances that match these words; same syntax as `GET /v1/search`.
    #[param(min_length = 1, max_length = 500, example = "\"cancel my account\"")]
    q: Option<String>,
    /// Only utterances of these speakers, by `speakerId`; may be repeated.
    #[serde(default)]
    speaker: Vec<String>,
    /// Only utterances with these emotions, ignoring case; may be repeated.
    #[serde(default)]
    #[param(example = json!(["anger", "sadness"]))]
    emotion: Vec<String>,
    /// Only utterances that start at or end after this time, in seconds from the start of the recording.
    #[param(minimum = 0, value_type = Option<f64>)]
    from: Option<Seconds>,
    /// Only utterances that start before this time, in seconds. Utterances that overlap the range
    /// are included.
    #[param(minimum = 0, value_type = Option<f64>)]
    to: Option<Seconds>,
    /// Only utterances with at least this confidence; those without a confidence are excluded.
    #[param(minimum = 0, maximum = 1, value_type = Option<f64>)]
    min_confidence: Option<Confidence>,
    /// Further members to include in each utterance; may be repeated.
    #[serde(default)]
    #[param(inline)]
    include: Vec<Include>,
    /// Rows per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page; the filters must be the same.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

impl ListUtterances {
    fn filter(self) -> Result<UtteranceFilter, ApiError> {
        let (from, to) = (self.from.map(|from| from.0), self.to.map(|to| to.0));
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(ApiError::invalid_parameter("to", "range", "must be later than from"));
        }
        let said = self.q.as_deref().map(search::checked).transpose()?.map(str::to_owned);
        Ok(UtteranceFilter {
            said,
            speaker_ids: self.speaker,
            emotions: self.emotion,
            from,
            to,
            min_confidence: self.min_confidence.map(|least| least.0),
            with_words: self.include.contains(&Include::Words),
            with_insights: self.include.contains(&Include::Evidence),
        })
    }
}

/// List what was said, in the provider's order.
///
/// An utterance must match every filter; for a repeated parameter, any one of its values.
#[utoipa::path(
    get, path = paths::UTTERANCES, operation_id = "listUtterances", tag = "results",
    params(("id" = Uuid, Path), ListUtterances),
    responses(
        (status = OK, body = Page<UtteranceView>, headers(("Link" = String))),
        Problems<{ OF_RESULT | codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn utterances(
    State(state): State<ApiState>,
    asked: OwnedJob,
    OriginalUri(uri): OriginalUri,
    ApiQuery(query): ApiQuery<ListUtterances>,
) -> Result<Response, ApiError> {
    let (limit, cursor) = (query.limit.unwrap_or_default(), query.cursor.clone());
    let filter = query.filter()?;
    let listing = format!("utterances {} {}", asked.id, conditions(&filter));
    let read = async |mut db: ReadConnection| {
        let job = asked.completed(&mut *db).await?;
        let after = position(&state, &listing, cursor.as_deref())?.unwrap_or(-1);
        let mut tx = db.begin_reading().await?;
        let rows = insights::utterances(&mut tx, job.id, &filter, after, limit.get() + 1).await?;
        Ok::<_, ApiError>(rows)
    };
    let rows = state.reads.run(read).await?;
    let seal = |row: &UtteranceRow| state.cursors.seal(&listing, &row.seq.to_be_bytes());
    let mut response = Page::new(rows, limit, seal, UtteranceView::from).answer(&uri);
    not_cached(&mut response);
    Ok(response)
}
