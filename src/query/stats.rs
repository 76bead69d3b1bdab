//! Statistics across jobs: parses the query and renders the groups.
use axum::{Json, extract::State};
use chrono::{Datelike as _, Days, NaiveDate};
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer as _, value},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{ApiError, ApiQuery, ApiState, problems::Problems},
    callers::{Caller, CallerId},
    http::Limit,
    reads::ReadConnection,
    stats::{
        self, Bucket, Dimension, GroupKey, Measure, Measures, Row, StatsQuestion, StatsSelection,
        StatsSort,
    },
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(jobs))
}

/// Days covered when none are given, today included.
const USUAL_DAYS: u64 = 30;
/// Maximum number of days: three years.
const MOST_DAYS: i64 = 1096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum GroupBy {
    #[default]
    None,
    Tag,
    Language,
    AudioType,
    Emotion,
    Insight,
    Day,
    Week,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatsQuery {
    /// Measures to return for each group; may be repeated. Default: all that exist for the groups;
    /// for emotions these are `completed`, `utterances` and `talkSeconds`, the latter two of the
    /// utterances with that emotion.
    #[serde(default)]
    #[param(inline)]
    measures: Vec<Measure>,
    /// What to group by; default: one group of all jobs. A job counts in the group of each of its
    /// tags, emotions and insight values.
    #[param(inline)]
    group_by: Option<GroupBy>,
    /// With `groupBy=insight`: the insight whose values form the groups, such as `Topics`. Values
    /// longer than 80 characters form none.
    insight: Option<String>,
    /// Adds a time series to each group.
    #[param(inline)]
    bucket: Option<Bucket>,
    /// First day of creation (UTC), inclusive; default: 30 days before `to`.
    #[param(value_type = Option<NaiveDate>, example = "2026-05-01")]
    from: Option<Day>,
    /// End of the range of days, exclusive; at most 1096 days after `from`; default: tomorrow.
    #[param(value_type = Option<NaiveDate>, example = "2026-06-01")]
    to: Option<Day>,
    /// Only jobs with this tag; cannot be combined with groups by emotion or insight.
    tag: Option<String>,
    /// Only jobs with this `languageCode`; cannot be combined with groups by insight.
    language: Option<String>,
    /// Only jobs with this `audioType`; cannot be combined with groups by insight.
    audio_type: Option<String>,
    /// Sort order of the groups: `group` or a measure; a leading `-` sorts in descending order.
    /// Default: `-jobs`; for emotions `-completed`; for days and weeks `group`.
    #[param(value_type = Option<String>, example = "-talkSeconds", pattern = "^-?(group|jobs|completed|\
failed|timedOut|canceled|utterances|words|questions|interruptions|durationSeconds|talkSeconds|\
silenceSeconds|overlapSeconds|turnaroundSeconds|averageDurationSeconds|averageTurnaroundSeconds|\
wordsPerMinute)$")]
    sort: Option<Order>,
    /// Maximum number of groups; default 50. Days and weeks are not limited.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
}

/// A day such as 2026-05-01.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Day(NaiveDate);

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
        // Years that both chrono and Postgres can represent, with a margin of days.
        let known = day.filter(|day| (1970..9999).contains(&day.year()));
        known.map(Self).ok_or("must be a day such as 2026-05-01")
    }
}

/// `group` or a measure; `-` for the greatest first.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Order(StatsSort);

impl TryFrom<String> for Order {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, is_descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        if name == "group" {
            return Ok(Self(StatsSort { by: None, is_descending }));
        }
        let by = Measure::deserialize(name.into_deserializer())
            .map_err(|error: value::Error| error.to_string())?;
        Ok(Self(StatsSort { by: Some(by), is_descending }))
    }
}

/// Groups of finished jobs, created in a range of days.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StatsView {
    /// First day, inclusive.
    from: NaiveDate,
    /// End of the range of days, exclusive.
    to: NaiveDate,
    #[schema(inline)]
    group_by: GroupBy,
    data: Vec<GroupView>,
    /// Whether there are more groups than `limit`.
    has_more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct GroupView {
    /// The tag, language, audio type, emotion or insight value, or the first day of the day or
    /// week; null for the group of all jobs, and for jobs whose request did not specify it.
    group: Option<String>,
    measures: Measures,
    /// With `bucket`: the days or weeks in which the group has jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Vec<PointView>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PointView {
    /// The day, or the first day of the week.
    start: NaiveDate,
    measures: Measures,
}

/// Get statistics of finished jobs.
///
/// Totals by tag, language, audio type, emotion, insight value, or day or week of creation. Numbers
/// are always exact and include jobs that finished a moment ago. Weeks begin on Monday. Combinations
/// that cannot be computed exactly are rejected.
#[utoipa::path(
    get, path = "/v1/stats/jobs", operation_id = "getJobStats", tag = "stats",
    params(StatsQuery),
    responses(
        (status = OK, body = StatsView, example = json!({
            "from": "2026-05-01", "to": "2026-06-01", "groupBy": "tag", "hasMore": false,
            "data": [{
                "group": "support",
                "measures": { "completed": 412, "talkSeconds": 98_331.25, "wordsPerMinute": 151.3 },
                "series": [{
                    "start": "2026-04-27",
                    "measures": {
                        "completed": 31, "talkSeconds": 7_202.5, "wordsPerMinute": 149.8,
                    },
                }],
            }],
        })),
        Problems,
    ),
    security(("key" = ["stats:read"])),
    extensions(("x-rate-weight" = json!(5))),
)]
async fn jobs(
    State(state): State<ApiState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<StatsQuery>,
) -> Result<Json<StatsView>, ApiError> {
    let (from, to) = days(&state, &query).await?;
    let group_by = query.group_by.unwrap_or_default();
    let limit = query.limit.unwrap_or_default();
    let question = question(caller.id, query, group_by, (from, to))?;
    let read = async |mut db: ReadConnection| {
        stats::answer(&mut db.begin_reading().await?, &question).await
    };
    let rows = state.reads.run(read).await?;
    let mut data = groups(rows, question.bucket.is_some());
    let most = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    let has_more = question.limit.is_some() && data.len() > most;
    if has_more {
        data.truncate(most);
    }
    Ok(Json(StatsView { from, to, group_by, data, has_more }))
}

async fn days(state: &ApiState, query: &StatsQuery) -> Result<(NaiveDate, NaiveDate), ApiError> {
    let to = match query.to {
        Some(Day(to)) => to,
        None => stats::today(&state.db).await? + Days::new(1),
    };
    let from = query.from.map_or_else(|| to - Days::new(USUAL_DAYS), |Day(from)| from);
    if !(1..=MOST_DAYS).contains(&(to - from).num_days()) {
        let detail = format!("must be after from, by at most {MOST_DAYS} days");
        return Err(ApiError::invalid_parameter("to", "range", detail));
    }
    Ok((from, to))
}

/// Questions that the sums cannot answer.
fn question(
    caller_id: CallerId,
    query: StatsQuery,
    group_by: GroupBy,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<StatsQuestion, ApiError> {
    let refused = |name, detail: &str| Err(ApiError::invalid_parameter(name, "conflict", detail));
    let is_time = matches!(group_by, GroupBy::Day | GroupBy::Week);
    let dimension = match group_by {
        GroupBy::Emotion => Dimension::Emotion,
        GroupBy::Insight => Dimension::Insight,
        GroupBy::Tag => Dimension::Tag,
        _ if query.tag.is_some() => Dimension::Tag,
        _ => Dimension::All,
    };
    if query.insight.is_some() != (group_by == GroupBy::Insight) {
        return refused("insight", "is required with groupBy=insight, and not allowed without it");
    }
    if query.tag.is_some() && dimension != Dimension::Tag {
        return refused("tag", "cannot be combined with groupBy=emotion or groupBy=insight");
    }
    let is_insight = dimension == Dimension::Insight;
    if query.language.is_some() && is_insight {
        return refused("language", "cannot be combined with groupBy=insight");
    }
    if query.audio_type.is_some() && is_insight {
        return refused("audioType", "cannot be combined with groupBy=insight");
    }
    if query.bucket.is_some() && is_time {
        return refused("bucket", "cannot be combined with groupBy=day or groupBy=week");
    }
    let is_known =
        |measure| dimension != Dimension::Emotion || Measure::OF_EMOTIONS.contains(&measure);
    if !query.measures.iter().copied().all(is_known) {
        return refused("measures", "emotions have only completed, utterances and talkSeconds");
    }
    let sort = query.sort.map_or_else(|| usual_sort(is_time, dimension), |Order(sort)| sort);
    if !sort.by.is_none_or(is_known) {
        return refused("sort", "emotions have only group, completed, utterances, talkSeconds");
    }
    let mut measures = query.measures;
    if measures.is_empty() {
        measures = Measure::ALL.into_iter().filter(|measure| is_known(*measure)).collect();
    }
    let key = match group_by {
        GroupBy::None => GroupKey::Nothing,
        GroupBy::Tag | GroupBy::Emotion | GroupBy::Insight => GroupKey::Value,
        GroupBy::Language => GroupKey::Language,
        GroupBy::AudioType => GroupKey::AudioType,
        GroupBy::Day => GroupKey::Time(Bucket::Day),
        GroupBy::Week => GroupKey::Time(Bucket::Week),
    };
    let selection = StatsSelection {
        caller_id,
        dimension,
        name: query.insight.unwrap_or_default(),
        value: query.tag,
        language: query.language,
        audio_type: query.audio_type,
        from,
        to,
    };
    let limit = (!is_time).then(|| query.limit.unwrap_or_default().get() + 1);
    Ok(StatsQuestion { selection, key, bucket: query.bucket, measures, sort, limit })
}

fn usual_sort(is_time: bool, dimension: Dimension) -> StatsSort {
    let by = match dimension {
        _ if is_time => None,
        Dimension::Emotion => Some(Measure::Completed),
        _ => Some(Measure::Jobs),
    };
    StatsSort { by, is_descending: by.is_some() }
}

/// Each group with the parts that follow it.
fn groups(rows: Vec<Row>, has_series: bool) -> Vec<GroupView> {
    let mut groups: Vec<GroupView> = Vec::new();
    for Row { key, bucket, measures } in rows {
        if let Some(start) = bucket {
            if let Some(GroupView { series: Some(series), .. }) = groups.last_mut() {
                series.push(PointView { start, measures });
            }
        } else {
            let group = Some(key).filter(|key| !key.is_empty());
            let series = has_series.then(Vec::new);
            groups.push(GroupView { group, measures, series });
        }
    }
    groups
}
