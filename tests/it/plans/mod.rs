//! How Postgres goes about the statements that are run all the time: never through a whole big table.
mod events;
mod search;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Execute as _, PgPool, Postgres, QueryBuilder, types::Json};

/// The tables that grow without end.
const BIG: &[&str] = &["jobs", "job_events"];

/// Insists that the statement, as it is, reads no big table from end to end.
async fn assert_uses_indexes(db: &PgPool, mut query: QueryBuilder<Postgres>) {
    let arguments = query.build().take_arguments().unwrap().unwrap_or_default();
    let explain = AssertSqlSafe(format!("explain (format json) {}", query.into_string()));
    let plan: Json<Value> =
        sqlx::query_scalar_with(explain, arguments).fetch_one(db).await.unwrap();
    let mut scans = Vec::new();
    whole_scans(&plan.0, &mut scans);
    assert!(scans.is_empty(), "{scans:?}\n{:#}", plan.0);
}

/// The big tables, or their partitions, that a plan reads from end to end.
fn whole_scans(plan: &Value, scans: &mut Vec<String>) {
    match plan {
        Value::Array(nodes) => nodes.iter().for_each(|node| whole_scans(node, scans)),
        Value::Object(node) => {
            let table = node.get("Relation Name").and_then(Value::as_str).unwrap_or_default();
            let is_big = BIG.iter().any(|big| {
                table
                    .strip_prefix(big)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("_y"))
            });
            let is_empty = node.get("Total Cost").and_then(Value::as_f64) == Some(0.0);
            let is_whole = node.get("Node Type").is_some_and(|kind| kind == "Seq Scan");
            if is_big && is_whole && !is_empty {
                scans.push(table.to_owned());
            }
            node.values().for_each(|value| whole_scans(value, scans));
        }
        _ => {}
    }
}

/// What Postgres means to do, as nodes of its plan, outermost first.
fn nodes(plan: &Value) -> Vec<&serde_json::Map<String, Value>> {
    let mut todo = vec![&plan[0]["Plan"]];
    let mut found = Vec::new();
    while let Some(node) = todo.pop() {
        found.extend(node.as_object());
        todo.extend(node["Plans"].as_array().into_iter().flatten());
    }
    found
}
