//! Values that occur in a caller's ended jobs, for people who type one: emotions, insights and languages, of which there
//! are few. The sums know them all but for insights whose values are long texts; the newest results have these.
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use crate::{callers::CallerId, jobs::Suggestion};

/// Results that are searched for names of insights.
const NEWEST: i64 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuggestedField {
    Emotion,
    /// The name of a conversational insight.
    Insight,
    Language,
}

/// Values that begin with `prefix`: those of most jobs first, and names of insights, whose jobs are not counted, in the order
/// of their bytes.
pub async fn suggest(
    db: impl PgExecutor<'_>,
    field: SuggestedField,
    caller_id: CallerId,
    prefix: &str,
    limit: i64,
) -> sqlx::Result<Vec<Suggestion>> {
    suggesting(field, caller_id, prefix, limit).build_query_as().fetch_all(db).await
}

/// The statement of [`suggest`].
pub fn suggesting(
    field: SuggestedField,
    caller_id: CallerId,
    prefix: &str,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let mut sql = match field {
        SuggestedField::Emotion => summed("value", "emotion", "completed", caller_id),
        SuggestedField::Language => {
            let ended = "completed + failed + timed_out + canceled";
            summed("language", "all", ended, caller_id)
        }
        SuggestedField::Insight => names_of_insights(caller_id),
    };
    sql.push(") known where value <> '' and starts_with(value, ").push_bind(prefix.to_owned());
    sql.push(") order by jobs desc nulls last, value collate \"C\" limit ").push_bind(limit);
    sql
}

fn summed(
    column: &'static str,
    dimension: &'static str,
    jobs: &'static str,
    caller_id: CallerId,
) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new("select value, jobs from (select ");
    sql.push(column).push(" as value, sum(").push(jobs).push(")::bigint as jobs");
    sql.push(" from aftercall.stats where caller_id = ").push_bind(caller_id);
    sql.push(" and dimension = '")
        .push(dimension)
        .push("' and name = '' and grain = 'month' group by ");
    sql.push(column).push(" having sum(").push(jobs).push(") > 0");
    sql
}

/// One step through the sums for each name.
fn names_of_insights(caller_id: CallerId) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(
        "with recursive name as ((select name from aftercall.stats where caller_id = ",
    );
    sql.push_bind(caller_id);
    sql.push(" and dimension = 'insight' order by name limit 1) union all select next.name from name cross join lateral (
        select s.name from aftercall.stats s where s.caller_id = ").push_bind(caller_id);
    sql.push(
        " and s.dimension = 'insight' and s.name > name.name order by s.name limit 1) next
        ) select value, null::bigint as jobs from (select name as value from name union
            select unnest(c.insight_names) from (
                select id from aftercall.jobs where caller_id = ",
    )
    .push_bind(caller_id);
    sql.push(" and state = 'completed' order by finished_at desc, id desc limit ")
        .push_bind(NEWEST);
    sql.push(") j join aftercall.conversations c on c.job_id = j.id");
    sql
}
