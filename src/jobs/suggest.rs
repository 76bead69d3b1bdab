//! Values of a caller's jobs that begin in a certain way, for people who type one.
//!
//! Each value is found by one step through an index, however many jobs have it. The indexes order by bytes, in which the
//! values with a common prefix are a range whatever the collation of the database.
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use crate::callers::CallerId;

/// Jobs of one value that are counted at most.
const MOST_COUNTED: i64 = 1000;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Suggestion {
    pub value: String,
    /// Jobs with this value; `None` if they were not counted, or are too many to count.
    pub jobs: Option<i64>,
}

/// Tags that begin with `prefix`, in the order of their bytes.
pub async fn suggest_tags(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    prefix: &str,
    limit: i64,
) -> sqlx::Result<Vec<Suggestion>> {
    suggesting_tags(caller_id, prefix, limit).build_query_as().fetch_all(db).await
}

/// The same for external ids.
pub async fn suggest_external_ids(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    prefix: &str,
    limit: i64,
) -> sqlx::Result<Vec<Suggestion>> {
    suggesting_external_ids(caller_id, prefix, limit).build_query_as().fetch_all(db).await
}

/// The statement of [`suggest_tags`].
pub fn suggesting_tags(caller_id: CallerId, prefix: &str, limit: i64) -> QueryBuilder<Postgres> {
    statement("aftercall.job_tags", "tag", caller_id, prefix, limit)
}

/// The statement of [`suggest_external_ids`].
pub fn suggesting_external_ids(
    caller_id: CallerId,
    prefix: &str,
    limit: i64,
) -> QueryBuilder<Postgres> {
    statement("aftercall.jobs", "external_id", caller_id, prefix, limit)
}

fn statement(
    table: &str,
    column: &str,
    caller_id: CallerId,
    prefix: &str,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let column = format!("t.{column} collate \"C\"");
    let mut sql = QueryBuilder::new("with recursive found as (");
    push_next(&mut sql, table, &column, caller_id, prefix, |sql| {
        sql.push(" >= ").push_bind(prefix.to_owned());
    });
    sql.push(" union all select next.value from found cross join lateral ");
    push_next(&mut sql, table, &column, caller_id, prefix, |sql| {
        sql.push(" > found.value");
    });
    sql.push(" next) select value, nullif(jobs, ").push_bind(MOST_COUNTED + 1);
    sql.push(format!(") as jobs from found cross join lateral (select count(*) as jobs from (select from {table} t"));
    sql.push(" where t.caller_id = ").push_bind(caller_id);
    sql.push(format!(" and {column} = found.value limit ")).push_bind(MOST_COUNTED + 1);
    sql.push(") of_value) counted limit ").push_bind(limit);
    sql
}

/// Pushes the first value of the range that meets another condition, in parentheses.
fn push_next(
    sql: &mut QueryBuilder<Postgres>,
    table: &str,
    column: &str,
    caller_id: CallerId,
    prefix: &str,
    push_condition: impl FnOnce(&mut QueryBuilder<Postgres>),
) {
    sql.push(format!("(select {column} as value from {table} t where t.caller_id = "));
    sql.push_bind(caller_id).push(format!(" and {column}"));
    push_condition(sql);
    if let Some(end) = prefix_end(prefix) {
        sql.push(format!(" and {column} < ")).push_bind(end);
    }
    sql.push(format!(" order by {column} limit 1)"));
}

/// The first text after all that begin with `prefix`, in the order of bytes; `None` if there is none.
pub fn prefix_end(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // Steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_with_the_prefix_and_no_others_are_in_the_range(prefix in ".{0,3}", text in ".{0,5}") {
            let is_in_range = |text: &str| {
                text >= prefix.as_str() && prefix_end(&prefix).is_none_or(|end| text < end.as_str())
            };
            prop_assert_eq!(is_in_range(&text), text.starts_with(&prefix));
            let longer = format!("{prefix}{text}");
            prop_assert!(is_in_range(&longer));
        }
    }

    #[test]
    fn the_last_character_has_no_successor() {
        assert_eq!(prefix_end("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(prefix_end("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(prefix_end("\u{10ffff}"), None);
        assert_eq!(prefix_end(""), None);
    }
}
