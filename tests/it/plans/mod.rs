//! Hot statements are planned without reading a big table from end to end.
mod search;

use serde_json::Value;

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
