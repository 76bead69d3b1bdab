//! The kinds of events: the code writes exactly those that the table accepts and the API documents.
use std::collections::BTreeSet;

use aftercall::jobs::EventKind;
use serde_json::Value;

use crate::support::app::TestApp;

fn written() -> BTreeSet<&'static str> {
    EventKind::ALL.into_iter().map(EventKind::name).collect()
}

/// The texts between pairs of a delimiter, such as quotes.
fn between(text: &str, mark: char) -> BTreeSet<&str> {
    text.split(mark).skip(1).step_by(2).collect()
}

#[tokio::test]
async fn every_partition_takes_the_kinds_that_can_be_written_and_no_others() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    let checks = "select pg_get_constraintdef(oid) from pg_constraint
        where conname = 'job_events_kind_known' and convalidated and contype = 'c'";
    let checks: Vec<String> = sqlx::query_scalar(checks).fetch_all(&app.db.pool).await.unwrap();
    assert!(checks.len() > 1, "the table and its partitions: {checks:?}");
    for check in checks {
        assert_eq!(between(&check, '\''), written());
    }
    let other = "update aftercall.job_events set kind = 'finished' where job_id = $1";
    let error = sqlx::query(other).bind(id).execute(&app.db.pool).await.unwrap_err();
    let error = error.into_database_error().unwrap();
    assert_eq!(error.constraint(), Some("job_events_kind_known"));
}

#[test]
fn each_kind_is_documented() {
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let kind = &document["components"]["schemas"]["EventView"]["properties"]["kind"];
    assert_eq!(between(kind["description"].as_str().unwrap(), '`'), written());
}

#[test]
fn a_kind_is_known_by_its_name_and_by_no_other() {
    for kind in EventKind::ALL {
        assert_eq!(EventKind::known(kind.name()), Some(kind));
    }
    assert_eq!(EventKind::known("finished"), None);
}
