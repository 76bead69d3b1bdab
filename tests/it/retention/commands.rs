//! `aftercall partitions` and `aftercall retention`, and the settings they read.
use serde_json::Value;

use super::past;
use crate::{
    process::Home,
    support::{app::TestApp, db::TestDb},
};

#[tokio::test]
async fn partitions_are_listed_with_their_size_and_when_they_go() {
    let app = TestApp::start().await;
    past::completed(&app, 3 * 365).await;
    let home = Home::on(&app.db)
        .set("AFTERCALL__RETENTION__JOBS", "400d")
        .set("AFTERCALL__RETENTION__DELIVERIES", "90d");
    let text = home.run(&["partitions", "--json"]).await.success();
    let lines: Vec<Value> = serde_json::from_str(&text).unwrap();
    let days = |line: &Value| {
        let time = |member: &str| {
            line[member].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
        };
        (time("goesAt") - time("endsAt")).num_days()
    };
    for line in &lines {
        let expected = if line["table"] == "deliveries" { 90 } else { 400 };
        assert_eq!(days(line), expected, "{line}");
        assert!(line["bytes"].as_i64().unwrap() > 0, "{line}");
    }
    let tables = lines.iter().filter(|line| line["endsAt"].as_str() < Some("2025"));
    assert_eq!(tables.count(), 11, "{text}");

    let text = Home::on(&app.db).run(&["partitions"]).await.success();
    assert_eq!(text.lines().count(), lines.len() + 1, "{text}");
    assert!(text.lines().skip(1).all(|line| line.ends_with("never")), "{text}");
}

#[tokio::test]
async fn retention_says_what_it_would_do_and_does_it() {
    let app = TestApp::start().await;
    let (old, new) = (past::completed(&app, 3 * 365).await, past::completed(&app, 10).await);
    let home = Home::on(&app.db).set("AFTERCALL__RETENTION__RESULTS", "90d");
    for _ in 0..2 {
        let text = home.run(&["retention", "--dry-run"]).await.success();
        assert!(text.contains("retention.results     90d"), "{text}");
        assert!(text.contains("retention.contents    7d"), "{text}");
        assert!(text.contains("would delete          3 rows of utterances"), "{text}");
        assert!(text.contains("would drop results_y"), "{text}");
    }
    let text = home.run(&["retention", "--json"]).await.success();
    let done: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(done["rows"]["utterances"], 3, "{done}");
    assert_eq!(done["partitionsDropped"], 9, "{done}");
    app.get(&format!("/v1/jobs/{old}/result")).await.problem(410, "result-expired");
    assert_eq!(app.get(&format!("/v1/jobs/{new}/result")).await.status, 200);
    let text = home.run(&["retention", "--dry-run"]).await.success();
    assert!(text.contains("nothing is due"), "{text}");
}

#[tokio::test]
async fn a_reparse_says_that_the_delivery_or_the_result_is_gone() {
    let app = TestApp::start().await;
    let id = past::completed(&app, 91).await;
    app.about(id, "update aftercall.results set parser_version = 0 where job_id = $1").await;
    let home = Home::on(&app.db);
    let age = std::time::Duration::from_hours(90 * 24);
    past::apply(&app.db, |it| it.deliveries = Some(age)).await;
    let reparse = ["reparse", "--job", &id.to_string()];
    let text = home.run(&reparse).await.success();
    assert!(text.contains("reparsed 0") && text.contains("without_delivery 1"), "{text}");
    assert_eq!(app.get(&format!("/v1/jobs/{id}/result")).await.status, 200);
    past::apply(&app.db, |it| it.results = Some(age)).await;
    let ended = home.run(&reparse).await;
    assert!(ended.err.contains("has expired"), "{}", ended.err);
}

#[tokio::test]
async fn ages_that_lose_results_or_contradict_each_other_are_refused() {
    let db = TestDb::new().await;
    for (settings, told) in [
        (&[("RESULTS", "7d")][..], "retention.results must be at least 8d"),
        (&[("DELIVERIES", "1h")], "retention.deliveries must be at least 8d"),
        (&[("TIMELINE", "0s")], "retention.timeline must be at least 8d"),
        (&[("JOBS", "7d 23h")], "retention.jobs must be at least 8d"),
        (
            &[("RESULTS", "91d"), ("JOBS", "90d")],
            "retention.results (91d) is longer than retention.jobs (90d)",
        ),
        (
            &[("CONTENTS", "91d"), ("JOBS", "90d")],
            "retention.contents (91d) is longer than retention.jobs (90d)",
        ),
        (&[("JOBS", "100years")], "retention.jobs is longer than 50 years"),
        (&[("RESULTS", "never")], "write \"90d\" or \"off\""),
    ] {
        let home = settings.iter().fold(Home::on(&db), |home, (name, value)| {
            home.set(&format!("AFTERCALL__RETENTION__{name}"), *value)
        });
        let error = home.run(&["serve"]).await.failure(78);
        assert!(error.contains(told), "{error}");
    }
    let home = Home::on(&db)
        .set("AFTERCALL__RETENTION__JOBS", "8d")
        .set("AFTERCALL__RETENTION__RESULTS", "8d")
        .set("AFTERCALL__RETENTION__CONTENTS", "0s");
    home.run(&["retention", "--dry-run"]).await.success();
}
