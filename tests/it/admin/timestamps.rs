//! Timestamps beyond Postgres's range, for every parameter that takes one.
use aftercall::callers::Scope;
use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::Operator;
use crate::support::app::TestApp;

/// The first and last timestamp that chrono parses, and those at the limits of RFC 3339's
/// four-digit year.
const EXTREMES: [&str; 8] = [
    "-262143-01-01T00:00:00Z",
    "+262142-12-31T23:59:59.999999999Z",
    "0000-01-01T00:00:00+23:59",
    "9999-12-31T23:59:60-23:59",
    "-262143-01-01",
    "+262142-12-31",
    "0000-01-01",
    "9999-12-31",
];

/// Path and name of every documented parameter that is a date or a timestamp.
fn timestamps() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for parameter in operations["get"]["parameters"].as_array().into_iter().flatten() {
            if parameter["schema"].to_string().contains(r#""format":"date"#) {
                found.push((path.clone(), parameter["name"].as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

#[tokio::test]
async fn no_date_is_too_much_for_postgres() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, Scope::value_variants()).await;
    let timestamps = timestamps();
    assert!(timestamps.len() > 10, "{timestamps:?}");
    for (path, name) in timestamps {
        for value in EXTREMES {
            let value = value.replace('+', "%2B");
            let query = format!("{path}?q=a&{name}={value}");
            // Most paths take no `q`.
            let query = if path == "/v1/search" { query } else { query.replace("q=a&", "") };
            let status = operator.get(&query).await.status;
            assert!([200, 400].contains(&status.as_u16()), "{query}: {status}");
        }
    }
    for value in ["-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z"] {
        let filter = json!({ "filter": { "receivedAfter": value }, "dryRun": true });
        let refused = operator.send("POST", "/v1/admin/replays", &filter).await;
        refused.problem(422, "validation-failed");
    }
}
