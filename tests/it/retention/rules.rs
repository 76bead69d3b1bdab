//! Which rows each setting deletes, and which it leaves.
use std::{collections::BTreeSet, time::Duration};

use aftercall::{
    config::RetentionSettings,
    retention::{KEPT, Kind},
};
use serde_json::json;
use uuid::Uuid;

use super::past::{self, PARTS, contents, rows, rows_except, sums};
use crate::support::{app::TestApp, db::TestDb};

const AGE: Duration = Duration::from_hours(90 * 24);
/// A whole month that is due, and both sides of the age.
const DAYS: [i32; 4] = [3 * 365, 91, 89, 0];

fn set(settings: &mut RetentionSettings, kind: Kind, age: Duration) {
    let setting = match kind {
        Kind::Deliveries => &mut settings.deliveries,
        Kind::Results => &mut settings.results,
        Kind::Timeline => &mut settings.timeline,
        Kind::Contents => &mut settings.contents,
        Kind::Media => &mut settings.media,
        Kind::Notifications => &mut settings.notifications,
        Kind::Jobs => &mut settings.jobs,
    };
    *setting = Some(age);
}

/// A completed and a failed job of each age.
async fn jobs(app: &TestApp) -> Vec<(i32, Uuid)> {
    let mut jobs = Vec::new();
    for days in DAYS {
        jobs.push((days, past::completed(app, days).await));
        jobs.push((days, past::failed(app, days).await));
    }
    jobs
}

#[tokio::test]
async fn each_setting_deletes_its_part_of_jobs_that_ended_before_and_nothing_else() {
    for kind in PARTS {
        let app = TestApp::start().await;
        let mut before = Vec::new();
        for (days, id) in jobs(&app).await {
            before.push((days, id, rows(&app.db, id).await));
        }
        let planned = past::retention(&app.db, |it| set(it, kind, AGE)).plan().await.unwrap();
        let applied = past::apply(&app.db, |it| set(it, kind, AGE)).await;
        for (days, id, before) in before {
            let after = rows(&app.db, id).await;
            for (table, rows) in &before {
                let is_gone = days > 90 && kind.tables().contains(table);
                // The event that a result expired.
                let extra = i64::from(
                    kind == Kind::Results
                        && *table == "job_events"
                        && days > 90
                        && before["results"] > 0,
                );
                let expected = if is_gone { 0 } else { rows + extra };
                assert_eq!(after[table], expected, "{kind:?} {days} {table}");
            }
        }
        // What it did is what it had said.
        let deleted = applied.rows.iter().filter(|(table, _)| **table != "stats");
        let deleted: Vec<_> = deleted.map(|(table, rows)| (*table, *rows)).collect();
        let planned_rows = planned.rows.iter().map(|(table, rows)| (*table, rows.unsigned_abs()));
        assert_eq!(deleted, planned_rows.collect::<Vec<_>>(), "{kind:?}");
        assert_eq!(applied.partitions_dropped, planned.partitions.len() as u64, "{kind:?}");
        assert_eq!(planned.partitions.is_empty(), !kind.is_partitioned(), "{kind:?}");
        assert!(!deleted.is_empty(), "{kind:?}");
        let again = past::apply(&app.db, |it| set(it, kind, AGE)).await;
        assert!(again.rows.is_empty() && again.partitions_dropped == 0, "{kind:?} {again:?}");
    }
}

#[tokio::test]
async fn jobs_go_with_everything_about_them_and_their_sums_stay() {
    let app = TestApp::start().await;
    let jobs = jobs(&app).await;
    let before = contents(&app.db).await;
    let counted = sums(&app.db).await;
    let planned = past::retention(&app.db, |it| it.jobs = Some(AGE)).plan().await.unwrap();
    let applied = past::apply(&app.db, |it| it.jobs = Some(AGE)).await;
    for (days, id) in jobs {
        let rows = rows(&app.db, id).await;
        if days > 90 {
            assert!(rows.values().all(|rows| *rows == 0), "{days}: {rows:?}");
        } else {
            assert_eq!(rows["jobs"], 1, "{days}: {rows:?}");
        }
    }
    let deleted = applied.rows.iter().filter(|(table, _)| **table != "stats");
    let deleted: Vec<_> = deleted.map(|(table, rows)| (*table, *rows)).collect();
    let planned_rows = planned.rows.iter().map(|(table, rows)| (*table, rows.unsigned_abs()));
    assert_eq!(deleted, planned_rows.collect::<Vec<_>>());
    let after = contents(&app.db).await;
    assert!(before.keys().any(|name| !after.contains_key(name)), "no month was dropped");

    // Words that were said are gone from the sums; how many jobs there were, and with which tags and emotions, is not.
    let left = sums(&app.db).await;
    for dimension in ["all", "tag", "tag_detail", "emotion"] {
        assert_eq!(left[dimension], counted[dimension], "{left} {counted}");
    }
    let expected = counted["insight"].as_i64().unwrap() / 4 * 2;
    assert_eq!(left["insight"], expected, "{left} {counted}");
}

#[tokio::test]
async fn the_sums_of_results_stay_too_except_for_words() {
    let app = TestApp::start().await;
    for days in DAYS {
        past::completed(&app, days).await;
    }
    let counted = sums(&app.db).await;
    past::apply(&app.db, |it| it.results = Some(AGE)).await;
    let left = sums(&app.db).await;
    assert_eq!(left["all"], counted["all"]);
    assert_eq!(left["insight"], counted["insight"].as_i64().unwrap() / 4 * 2, "{left} {counted}");
    let negative = "select count(*) from aftercall.exact_stats group by caller_id,
        dimension, name, grain, period, value, language, audio_type having sum(completed) < 0";
    assert_eq!(sqlx::query(negative).fetch_all(&app.db.pool).await.unwrap().len(), 0);
}

#[tokio::test]
async fn with_everything_off_nothing_changes() {
    let app = TestApp::start().await;
    jobs(&app).await;
    past::apply(&app.db, |_| {}).await;
    let before = contents(&app.db).await;
    let applied = past::apply(&app.db, |_| {}).await;
    assert!(applied.rows.is_empty(), "{applied:?}");
    assert_eq!(contents(&app.db).await, before);
    let planned = past::retention(&app.db, |_| {}).plan().await.unwrap();
    assert!(planned.rows.is_empty() && planned.partitions.is_empty(), "{planned:?}");
}

#[tokio::test]
async fn unfinished_jobs_and_those_with_valid_tokens_keep_their_month() {
    let app = TestApp::start().await;
    let done = past::completed(&app, 3 * 365).await;
    let retried = past::failed(&app, 3 * 365).await;
    let failed = past::failed(&app, 3 * 365).await;
    let path = format!("/v1/jobs/{retried}/retry");
    assert_eq!(app.post(&path, &json!(null)).await.status, 202);
    // A result may still reach its webhook.
    app.about(
        failed,
        "update aftercall.jobs set deadline_at = now() - interval '6 days' where id = $1",
    )
    .await;
    let before = (rows(&app.db, retried).await, rows(&app.db, failed).await);
    let all = |it: &mut RetentionSettings| {
        for kind in [Kind::Jobs, Kind::Results, Kind::Deliveries, Kind::Timeline] {
            set(it, kind, AGE);
        }
    };
    let applied = past::apply(&app.db, all).await;
    assert_eq!(applied.partitions_dropped, 0);
    assert!(rows(&app.db, done).await.values().all(|rows| *rows == 0));
    assert_eq!((rows(&app.db, retried).await, rows(&app.db, failed).await), before);

    // Both can still be completed, and are then kept for as long as any other.
    let job = app.dispatched(retried).await;
    assert_eq!(
        app.deliver(&job.webhook, crate::support::fixture("seed/success.json")).await.status,
        200
    );
    assert_eq!(app.job(retried).await["state"], "completed");
    past::apply(&app.db, all).await;
    assert_eq!(rows(&app.db, retried).await["results"], 1);
}

#[tokio::test]
async fn a_job_can_be_retried_after_the_months_of_its_parts_were_dropped() {
    let app = TestApp::start().await;
    let id = past::failed(&app, 3 * 365).await;
    let parts = |it: &mut RetentionSettings| {
        for kind in [Kind::Results, Kind::Deliveries, Kind::Timeline] {
            set(it, kind, AGE);
        }
    };
    let applied = past::apply(&app.db, parts).await;
    assert_eq!(applied.partitions_dropped, 11);
    let left = rows_except(&app.db, id, &[Kind::Jobs, Kind::Contents]).await;
    assert!(left.values().all(|rows| *rows == 0), "{left:?}");
    let answer = app.post(&format!("/v1/jobs/{id}/retry"), &json!(null)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let job = app.dispatched(id).await;
    assert_eq!(
        app.deliver(&job.webhook, crate::support::fixture("seed/success.json")).await.status,
        200
    );
    assert_eq!(app.get(&format!("/v1/jobs/{id}/result")).await.status, 200);
    assert_eq!(app.delivery_outcomes(id).await, ["accepted"]);
    // What is new ended just now, and stays.
    past::apply(&app.db, parts).await;
    assert_eq!(app.get(&format!("/v1/jobs/{id}/result")).await.status, 200);
}

/// Partitions of last month are created ahead of time, as clocks differ; with a short age they would be dropped at once.
#[tokio::test]
async fn no_partition_is_dropped_and_created_again() {
    let app = TestApp::start().await;
    let id = past::completed(&app, 31).await;
    let shortest = |it: &mut RetentionSettings| it.jobs = Some(Duration::from_hours(8 * 24));
    past::apply(&app.db, shortest).await;
    assert!(rows(&app.db, id).await.values().all(|rows| *rows == 0));
    let again = past::apply(&app.db, shortest).await;
    assert_eq!((again.partitions_made, again.partitions_dropped), (0, 0));
    let overdue = past::retention(&app.db, shortest).overdue().await.unwrap();
    assert!(overdue.iter().all(|(_, seconds)| *seconds == 0.0), "{overdue:?}");
}

#[tokio::test]
async fn what_is_due_and_still_there_is_reported_as_overdue() {
    let app = TestApp::start().await;
    let overdue = async |adjust: fn(&mut RetentionSettings)| {
        let all = past::retention(&app.db, adjust).overdue().await.unwrap();
        all.into_iter()
            .map(|(kind, seconds)| (kind.name(), (seconds / 86400.0).round()))
            .collect::<Vec<_>>()
    };
    past::completed(&app, 100).await;
    past::failed(&app, 99).await;
    assert!(overdue(|_| {}).await.iter().all(|(_, days)| *days == 0.0));
    let every = |it: &mut RetentionSettings| {
        for kind in Kind::ALL {
            set(it, kind, AGE);
        }
    };
    let expected = [
        ("jobs", 10.0),
        ("results", 10.0),
        ("deliveries", 10.0),
        ("timeline", 10.0),
        ("contents", 9.0),
        ("media", 0.0),
        ("notifications", 0.0),
    ];
    assert_eq!(overdue(every).await, expected);
    past::apply(&app.db, every).await;
    assert!(overdue(every).await.iter().all(|(_, days)| *days == 0.0));
}

#[tokio::test]
async fn every_table_has_a_rule_or_a_reason_to_stay() {
    let db = TestDb::new().await;
    let tables = "select c.relname::text from pg_class c
        where c.relnamespace = 'aftercall'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&db.pool).await.unwrap();
    let tables: BTreeSet<&str> = tables.iter().map(String::as_str).collect();
    let ruled = Kind::ALL.into_iter().flat_map(Kind::tables).copied();
    let named: Vec<&str> = ruled.chain(KEPT.iter().map(|(table, _)| *table)).collect();
    assert_eq!(named.len(), named.iter().collect::<BTreeSet<_>>().len(), "named twice: {named:?}");
    assert_eq!(
        tables,
        named.into_iter().collect(),
        "see src/retention/kind.rs and docs/data-retention.md"
    );
    let document = include_str!("../../../docs/data-retention.md");
    for table in tables {
        assert!(
            document.contains(&format!("`{table}`")),
            "docs/data-retention.md does not name {table}"
        );
    }
}
