//! Search over the utterances of all completed jobs.
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{results::not_cached, views::HitView};
use crate::{
    api::{
        ApiError, ApiQuery, ApiState, JobFilters,
        problems::{Code, Problems, codes},
    },
    callers::Caller,
    http::{CombinedQuery, Limit, Page, conditions},
    insights::search::{Match, Range, Search, SearchScope, Unsearchable, UtteranceKey},
    jobs::{JobFilter, JobId},
    reads::ReadConnection,
};

/// Ranking considers this many of the newest matches.
const RANKED: i64 = 500;
const MAX_Q_CHARS: usize = 500;

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(search))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// What to search for: words, all of which must occur in any form (`refund` finds *refunds*);
    /// `"words in a row"`; `one or other`; `-not`. At least one word must not be negated.
    #[param(required, min_length = 1, max_length = 500, value_type = String,
        example = "\"cancel my account\" or refund -joke")]
    q: Option<String>,
    /// Only utterances of this speaker: a `speakerId`, or your name for the speaker.
    speaker: Option<String>,
    /// Only utterances with this emotion.
    #[param(example = "Anger")]
    emotion: Option<String>,
    /// Only utterances of this job.
    #[param(value_type = Option<Uuid>)]
    job_id: Option<JobId>,
    /// Default `relevance`: the newest 500 matches, best first. `-createdAt`: all matches, newest
    /// job first.
    #[serde(default)]
    #[param(inline, required = false)]
    sort: SearchSort,
    /// Hits per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page; the words and filters must be the same.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
enum SearchSort {
    #[default]
    #[serde(rename = "relevance")]
    Relevance,
    #[serde(rename = "-createdAt")]
    Newest,
}

/// Search the utterances of all completed jobs.
///
/// Words match by their stem in the job's language. Following `nextCursor` neither repeats nor
/// skips a match that existed on the first page, whatever is added meanwhile.
#[utoipa::path(
    get, path = "/v1/search", operation_id = "search", tag = "results",
    params(SearchQuery, JobFilters),
    responses(
        (status = OK, body = Page<HitView>, headers(("Link" = String))),
        Problems<{ codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["search:read"])),
    extensions(("x-rate-weight" = json!(5))),
)]
async fn search(
    State(state): State<ApiState>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    ApiQuery(CombinedQuery(query, jobs)): ApiQuery<CombinedQuery<SearchQuery, JobFilters>>,
) -> Result<Response, ApiError> {
    let SearchQuery { q, speaker, emotion, job_id, sort, limit, cursor } = query;
    let limit = limit.unwrap_or_default();
    let missing = || ApiError::invalid_parameter("q", "missing", "is required");
    let q = checked(q.as_deref().ok_or_else(missing)?)?.to_owned();
    let scope = SearchScope { speaker, emotion, job_id, jobs: JobFilter::from(jobs) };
    let listing = format!("search {} {sort:?} {q:?} {}", caller.id, conditions(&scope));
    let seal = |position: &[u8]| state.cursors.seal(&listing, position);
    let cursor = cursor.as_deref();
    let read = async |mut db: ReadConnection| match sort {
        SearchSort::Relevance => {
            let open = |cursor| state.cursors.open(&listing, cursor).map(Walk::from_bytes);
            let walk = cursor.map(open).transpose()?;
            let mut search = begin(&mut db, &caller, &q, &scope).await?;
            let (matches, bounds) = ranked(&mut search, walk).await?;
            let cursor = |after: &Match| seal(&Walk { bounds, after: *after }.to_bytes());
            show(search, Page::new(matches, limit, cursor, |found| found)).await
        }
        SearchSort::Newest => {
            let open = |cursor| state.cursors.open(&listing, cursor).map(UtteranceKey::from_bytes);
            let before = cursor.map(open).transpose()?;
            let mut search = begin(&mut db, &caller, &q, &scope).await?;
            let matches = search.newest(Range { from: None, before }, limit.get() + 1).await?;
            let cursor = |last: &Match| seal(&last.key.to_bytes());
            show(search, Page::new(matches, limit, cursor, |found| found)).await
        }
    };
    let page = state.reads.run(read).await?;
    let mut response = page.answer(&uri);
    not_cached(&mut response);
    Ok(response)
}

/// A `q` of acceptable length.
pub fn checked(q: &str) -> Result<&str, ApiError> {
    if q.chars().count() > MAX_Q_CHARS {
        let detail = format!("must have at most {MAX_Q_CHARS} characters");
        return Err(ApiError::invalid_parameter("q", "length", detail));
    }
    Ok(q)
}

async fn begin<'a>(
    db: &'a mut ReadConnection,
    caller: &Caller,
    q: &str,
    scope: &'a SearchScope,
) -> Result<Search<'a>, ApiError> {
    Search::begin(db, caller.id, q, scope).await?.map_err(|why| match why {
        Unsearchable::NoWords => {
            let detail = "contains no searchable word; words such as \"the\" are not indexed";
            ApiError::invalid_parameter("q", "words", detail)
        }
        Unsearchable::OnlyExclusions => {
            let detail = "must contain at least one word that is not excluded";
            ApiError::invalid_parameter("q", "exclusions", detail)
        }
    })
}

/// A walk through ranked results, within the set of matches found when it began.
#[derive(Debug, Clone, Copy)]
struct Walk {
    bounds: Bounds,
    after: Match,
}

/// The oldest and the newest match of the first page's set.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    oldest: UtteranceKey,
    newest: UtteranceKey,
}

impl Walk {
    fn to_bytes(self) -> [u8; 64] {
        let Self { bounds: Bounds { oldest, newest }, after } = self;
        let mut bytes = [0; 64];
        bytes[..20].copy_from_slice(&oldest.to_bytes());
        bytes[20..40].copy_from_slice(&newest.to_bytes());
        bytes[40..60].copy_from_slice(&after.key.to_bytes());
        bytes[60..].copy_from_slice(&after.rank.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 64]) -> Self {
        let [oldest, newest, key] = [0, 20, 40].map(|at| {
            let mut key = [0; 20];
            key.copy_from_slice(&bytes[at..at + 20]);
            UtteranceKey::from_bytes(key)
        });
        let mut rank = [0; 4];
        rank.copy_from_slice(&bytes[60..]);
        let after = Match { key, rank: f32::from_be_bytes(rank) };
        Self { bounds: Bounds { oldest, newest }, after }
    }
}

/// The newest matches, best first, and their bounds; or the remaining ones of `walk`.
///
/// Matches that arrive between two pages are beyond the bounds, or placed by their rank.
async fn ranked(
    search: &mut Search<'_>,
    walk: Option<Walk>,
) -> Result<(Vec<Match>, Bounds), ApiError> {
    let (range, most) = match walk {
        Some(Walk { bounds: Bounds { oldest, newest }, .. }) => {
            (Range { from: Some(oldest), before: Some(newest.next()) }, 4 * RANKED)
        }
        None => (Range::default(), RANKED),
    };
    let mut matches = search.newest(range, most).await?;
    let at = |found: Option<&Match>| found.map_or(UtteranceKey::MIN, |found| found.key);
    let (newest, oldest) = (at(matches.first()), at(matches.last()));
    let bounds = walk.map_or(Bounds { oldest, newest }, |walk| walk.bounds);
    let best_first =
        |a: &Match, b: &Match| b.rank.total_cmp(&a.rank).then_with(|| b.key.cmp(&a.key));
    matches.sort_unstable_by(best_first);
    if let Some(Walk { after, .. }) = walk {
        matches.retain(|found| best_first(found, &after).is_gt());
    }
    Ok((matches, bounds))
}

async fn show(search: Search<'_>, page: Page<Match>) -> Result<Page<HitView>, ApiError> {
    let Page { data, next_cursor, has_more } = page;
    let data = search.hits(&data).await?.into_iter().map(HitView::from).collect();
    Ok(Page { data, next_cursor, has_more })
}
