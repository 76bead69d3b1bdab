//! Questions about groups of jobs, each answered by one statement.
use chrono::{Datelike as _, Months, NaiveDate};
use serde::Deserialize;
use sqlx::{PgTransaction, Postgres, QueryBuilder};
use utoipa::ToSchema;

use super::{Measure, Measures};
use crate::callers::CallerId;

/// The dimension by which sums are kept. All but insight values are further divided by language and audio type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// No further dimension.
    All,
    Tag,
    Emotion,
    /// A value of one insight.
    Insight,
}

/// Which jobs count; all conditions must hold.
#[derive(Debug, Clone)]
pub struct StatsSelection {
    pub caller_id: CallerId,
    pub dimension: Dimension,
    /// Name of the insight; empty for other dimensions.
    pub name: String,
    /// Only this value of the dimension.
    pub value: Option<String>,
    pub language: Option<String>,
    pub audio_type: Option<String>,
    /// First day of creation (UTC).
    pub from: NaiveDate,
    /// End of the range of days, exclusive.
    pub to: NaiveDate,
}

/// What defines a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKey {
    Nothing,
    /// The value of the dimension.
    Value,
    Language,
    AudioType,
    Time(Bucket),
}

/// Days, or weeks from Monday to Sunday (ISO 8601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Bucket {
    Day,
    Week,
}

/// The order of groups; ties are ordered by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsSort {
    /// `None`: by the key.
    pub by: Option<Measure>,
    pub is_descending: bool,
}

#[derive(Debug, Clone)]
pub struct StatsQuestion {
    pub selection: StatsSelection,
    pub key: GroupKey,
    /// Also returns each group's figures over time.
    pub bucket: Option<Bucket>,
    pub measures: Vec<Measure>,
    pub sort: StatsSort,
    /// Maximum number of groups; `None` for all.
    pub limit: Option<i64>,
}

/// A group or, with `bucket`, a part of the preceding group.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    /// Empty when all jobs form one group, or when the request did not specify the value.
    pub key: String,
    /// First day of the part.
    pub bucket: Option<NaiveDate>,
    #[sqlx(flatten)]
    pub measures: Measures,
}

/// The columns of sums.
const SUMS: [&str; 13] = [
    "completed",
    "failed",
    "timed_out",
    "canceled",
    "utterances",
    "words",
    "questions",
    "interruptions",
    "duration_ms",
    "talk_ms",
    "silence_ms",
    "overlap_ms",
    "turnaround_ms",
];

/// The groups in order, each followed by its parts in chronological order.
pub async fn answer(
    tx: &mut PgTransaction<'_>,
    question: &StatsQuestion,
) -> sqlx::Result<Vec<Row>> {
    statement(question).build_query_as().fetch_all(&mut **tx).await
}

/// The statement of [`answer`].
pub fn statement(question: &StatsQuestion) -> QueryBuilder<Postgres> {
    let StatsQuestion { key, bucket, sort, limit, .. } = question;
    let sums = SUMS.map(|name| format!("sum({name})::bigint as {name}")).join(", ");
    let ended = "having sum(completed + failed + timed_out + canceled) > 0";
    let mut sql = QueryBuilder::new("with cell as (");
    push_cells(&mut sql, question);
    sql.push(format!("), whole as (select key, {sums} from cell group by key {ended})"));
    let by = sort.by.map_or("key", |measure| measure.column().1);
    let direction = if sort.is_descending { "desc nulls last" } else { "asc nulls last" };
    sql.push(format!(
        ", best as (select *, row_number() over (order by {by} {direction}, key) as rank from whole"
    ));
    sql.push(" order by rank limit ").push_bind(*limit).push(")");
    let columns = columns(&question.measures);
    sql.push(format!(" select rank, key, null::date as bucket, {columns} from best"));
    if bucket.is_some() && !matches!(key, GroupKey::Time(_)) {
        sql.push(format!(
            " union all select rank, key, bucket, {columns} from (
                select rank, key, bucket, {sums}
                from (select cell.*, best.rank from cell join best using (key)) part
                group by rank, key, bucket {ended}) part"
        ));
    }
    sql.push(" order by rank, bucket nulls first");
    sql
}

/// The selected sums, cell by cell.
fn push_cells(sql: &mut QueryBuilder<Postgres>, question: &StatsQuestion) {
    let StatsQuestion { selection, key, bucket, .. } = question;
    let key_sql = match key {
        GroupKey::Nothing => "''",
        GroupKey::Value => "value",
        GroupKey::Language => "language",
        GroupKey::AudioType => "audio_type",
        GroupKey::Time(Bucket::Day) => "to_char(period, 'YYYY-MM-DD')",
        GroupKey::Time(Bucket::Week) => {
            "to_char(date_trunc('week', period::timestamp), 'YYYY-MM-DD')"
        }
    };
    let bucket_sql = match bucket {
        None => "null::date",
        Some(Bucket::Day) => "period",
        Some(Bucket::Week) => "date_trunc('week', period::timestamp)::date",
    };
    let by_days = bucket.is_some() || matches!(key, GroupKey::Time(_));
    for (n, span) in spans(selection, by_days).into_iter().enumerate() {
        let union = if n > 0 { " union all " } else { "" };
        let sums = SUMS.join(", ");
        sql.push(format!("{union}select {key_sql} as key, {bucket_sql} as bucket, {sums}"));
        sql.push(" from aftercall.exact_stats where caller_id = ").push_bind(selection.caller_id);
        sql.push(" and dimension = ").push_bind(question.sums_of());
        sql.push(" and name = ").push_bind(selection.name.clone());
        sql.push(" and grain = ").push_bind(span.grain);
        sql.push(" and period >= ").push_bind(span.from);
        sql.push(" and period < ").push_bind(span.to);
        let filters = [
            (" and value = ", &selection.value),
            (" and language = ", &selection.language),
            (" and audio_type = ", &selection.audio_type),
        ];
        for (condition, wanted) in filters {
            if let Some(wanted) = wanted {
                sql.push(condition).push_bind(wanted.clone());
            }
        }
    }
}

/// Every column of [`Measures`], null for those not requested.
fn columns(asked: &[Measure]) -> String {
    let column = |measure: Measure| {
        let (name, sql) = measure.column();
        let is_asked = asked.contains(&measure);
        if is_asked { format!("{sql} as {name}") } else { format!("null as {name}") }
    };
    Measure::ALL.map(column).join(", ")
}

/// Days or whole months that are read from the sums of this grain.
struct Span {
    grain: &'static str,
    from: NaiveDate,
    to: NaiveDate,
}

/// Reads whole months of a selection from monthly sums, unless `by_days`.
fn spans(selection: &StatsSelection, by_days: bool) -> Vec<Span> {
    let StatsSelection { from, to, .. } = *selection;
    let first_of = |day: NaiveDate| day.with_day(1).unwrap_or(day);
    let last = first_of(to);
    let first = match first_of(from) {
        first if first == from => first,
        first => first.checked_add_months(Months::new(1)).unwrap_or(to),
    };
    if by_days || first >= last {
        return vec![Span { grain: "day", from, to }];
    }
    let days = |from, to| Span { grain: "day", from, to };
    let all = [days(from, first), Span { grain: "month", from: first, to: last }, days(last, to)];
    all.into_iter().filter(|span| span.from < span.to).collect()
}

impl StatsQuestion {
    /// The smallest suitable set of sums. Those of tags are kept in two forms, as there may be many.
    fn sums_of(&self) -> &'static str {
        let StatsSelection { language, audio_type, .. } = &self.selection;
        let is_detailed = matches!(self.key, GroupKey::Language | GroupKey::AudioType)
            || language.is_some()
            || audio_type.is_some();
        match self.selection.dimension {
            Dimension::All => "all",
            Dimension::Tag if is_detailed => "tag_detail",
            Dimension::Tag => "tag",
            Dimension::Emotion => "emotion",
            Dimension::Insight => "insight",
        }
    }
}
