//! Listing and exporting jobs, and commands for many of them.
use std::time::Duration;

use aftercall::{
    callers::{self, KeyTerms},
    insights,
    jobs::{self, JobFilter, JobId, ListPosition, Period, State},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{assert_selective, fresh, nodes, plan, reads_little};
use crate::support::{app::TestApp, seed::seed};

const JOBS: i32 = 20_000;

/// Two callers with jobs, one of them with findings.
async fn seeded() -> (TestApp, Uuid) {
    let app = TestApp::start().await;
    callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    for caller in ["app", "other"] {
        seed(&app.db.pool, caller, JOBS, 2).await;
    }
    let findings = "
        insert into aftercall.conversations
        select id, caller_id, created_at, request ->> 'languageCode', request ->> 'audioType', tags,
            n % 3 + 1, array['Joy', 'of-50-' || n % 50], array['KeyPhrases', 'of-50-' || n % 50],
            '{2,2}', '{3800,3800}', 2, 12, 0, 0, 4400, 3800, 600, 0, 600, 1900
        from (select *, row_number() over (order by id) as n from aftercall.jobs) jobs
        where state = 'completed'";
    sqlx::query(findings).execute(&app.db.pool).await.unwrap();
    sqlx::query("analyze").execute(&app.db.pool).await.unwrap();
    let id = "select id from aftercall.callers where name = 'app'";
    let caller_id = sqlx::query_scalar(id).fetch_one(&app.db.pool).await.unwrap();
    (app, caller_id)
}

async fn middle(app: &TestApp) -> (JobId, DateTime<Utc>) {
    let query = "select j.id, j.created_at from aftercall.jobs j
        join aftercall.callers c on c.id = j.caller_id and c.name = 'app'
        where state = 'completed' order by j.id offset 8000 limit 1";
    sqlx::query_as(query).fetch_one(&app.db.pool).await.unwrap()
}

/// Each filter, and the index that a page of it must use where the planner has no alternative.
fn filters(at: DateTime<Utc>) -> Vec<(JobFilter, Option<&'static str>)> {
    let hour = Period { after: Some(at), before: Some(at + TimeDelta::hours(1)) };
    let none = JobFilter::default;
    vec![
        (none(), Some("jobs_of_caller")),
        (
            JobFilter { states: vec![State::Queued, State::Failed], ..none() },
            Some("jobs_not_completed_facets"),
        ),
        (JobFilter { states: vec![State::Completed], ..none() }, Some("jobs_of_caller")),
        (JobFilter { external_id: Some("call-7".into()), ..none() }, Some("jobs_external_ids")),
        (JobFilter { tags: vec!["of-50-7".into()], ..none() }, Some("job_tags_pkey")),
        (
            JobFilter { tags: vec!["of-50-7".into(), "of-2-1".into()], ..none() },
            Some("job_tags_pkey"),
        ),
        (JobFilter { language: Some("en-US".into()), ..none() }, Some("jobs_of_caller")),
        (JobFilter { language: Some("en-GB".into()), ..none() }, Some("jobs_by_language")),
        (JobFilter { language: Some("de-DE".into()), ..none() }, Some("jobs_by_language")),
        (JobFilter { audio_type: Some("Meeting".into()), ..none() }, Some("jobs_by_audio_type")),
        (JobFilter { audio_type: Some("Interview".into()), ..none() }, Some("jobs_by_audio_type")),
        (JobFilter { created: hour, ..none() }, None),
        (JobFilter { completed: hour, ..none() }, Some("jobs_completed")),
        (JobFilter { min_speakers: Some(2), ..none() }, None),
        (JobFilter { insights: vec!["KeyPhrases".into()], ..none() }, None),
        (JobFilter { emotions: vec!["Joy".into()], ..none() }, None),
        (JobFilter { insights: vec!["of-50-7".into()], ..none() }, None),
        (JobFilter { emotions: vec!["of-50-7".into()], ..none() }, None),
    ]
}

fn indexes(plan: &Value) -> Vec<&str> {
    nodes(plan).into_iter().filter_map(|node| node["Index Name"].as_str()).collect()
}

#[tokio::test]
async fn a_list_reads_what_it_shows() {
    let (app, caller_id) = seeded().await;
    let (id, at) = middle(&app).await;
    for (filter, index) in filters(at) {
        for place in [
            ListPosition::Before(None),
            ListPosition::Before(Some(id)),
            ListPosition::After(Some(id)),
            ListPosition::CompletedBefore(None),
            ListPosition::CompletedBefore(Some((at, id))),
        ] {
            let statement = jobs::statement(caller_id.into(), &filter, place, Some(51));
            let plan = plan(&app.db.pool, statement).await;
            assert_selective(&app.db.pool, &plan).await;
            if let (ListPosition::Before(Some(_)), Some(index)) = (place, index) {
                assert!(indexes(&plan).contains(&index), "{filter:?}: {plan:#}");
            }
        }
    }
    let last = jobs::statement(
        caller_id.into(),
        &JobFilter::default(),
        ListPosition::CompletedBefore(None),
        Some(51),
    );
    let plan = plan(&app.db.pool, last).await;
    assert!(indexes(&plan).contains(&"jobs_completed"), "{plan:#}");
}

#[tokio::test]
async fn an_export_gives_its_first_row_at_once() {
    let (app, caller_id) = seeded().await;
    let (id, at) = middle(&app).await;
    for (filter, _) in filters(at) {
        let jobs = jobs::statement(caller_id.into(), &filter, ListPosition::After(Some(id)), None);
        assert_selective(&app.db.pool, &plan(&app.db.pool, jobs).await).await;
        let utterances =
            insights::UtteranceExport::new(caller_id.into(), &filter, Some((id, 1))).statement();
        let plan = plan(&app.db.pool, utterances).await;
        assert_selective(&app.db.pool, &plan).await;
    }
    for after in [None, Some((id, 1))] {
        let all = insights::UtteranceExport::new(caller_id.into(), &JobFilter::default(), after)
            .statement();
        let plan = plan(&app.db.pool, all).await;
        let cost = |name: &str| plan[name].as_f64().unwrap();
        assert!(cost("Startup Cost") < 0.01 * cost("Total Cost"), "{plan:#}");
    }
}

#[tokio::test]
async fn counting_reads_what_it_counts() {
    let (app, caller_id) = seeded().await;
    let (_, at) = middle(&app).await;
    for (filter, _) in filters(at) {
        let filter = JobFilter { states: Vec::new(), ..filter };
        let statement = jobs::counting(caller_id.into(), &filter, 51);
        assert_selective(&app.db.pool, &plan(&app.db.pool, statement).await).await;
    }
    let plan =
        plan(&app.db.pool, jobs::counting(caller_id.into(), &JobFilter::default(), 51)).await;
    assert!(indexes(&plan).contains(&"jobs_not_completed_facets"), "{plan:#}");
    assert!(indexes(&plan).contains(&"jobs_of_caller"), "{plan:#}");
}

#[tokio::test]
async fn a_suggestion_takes_one_step_through_an_index() {
    let (app, caller_id) = seeded().await;
    for (statement, index) in [
        (jobs::suggesting_tags(caller_id.into(), "of-", 10), "job_tags_prefix"),
        (jobs::suggesting_tags(caller_id.into(), "", 10), "job_tags_prefix"),
        (jobs::suggesting_external_ids(caller_id.into(), "call-1", 10), "jobs_external_ids"),
        (jobs::suggesting_external_ids(caller_id.into(), "", 10), "jobs_external_ids"),
    ] {
        let plan = plan(&app.db.pool, statement).await;
        assert_selective(&app.db.pool, &plan).await;
        // The first value, the next ones, and the jobs of each.
        assert_eq!(indexes(&plan), [index; 3], "{plan:#}");
        assert!(nodes(&plan).iter().all(|node| node["Node Type"] != "Sort"), "{plan:#}");
    }
}

#[tokio::test]
async fn a_command_for_many_jobs_reads_only_these() {
    let (app, caller_id) = seeded().await;
    let some = "select j.id from aftercall.jobs j join aftercall.callers c on c.id = j.caller_id
        where c.name = 'app' and j.state = $1 order by j.id offset 500 limit 100";
    let of_state = async |state: &str| -> Vec<JobId> {
        sqlx::query_scalar(some).bind(state).fetch_all(&app.db.pool).await.unwrap()
    };
    let (failed, completed) = (of_state("failed").await, of_state("completed").await);
    let caller_id = caller_id.into();
    let mut own = fresh(&app.db.pool).await;
    let mut tx = app.announcer.begin_on(&mut own).await.unwrap();
    assert_eq!(jobs::lock_own(&mut tx, caller_id, &failed).await.unwrap().len(), 100);
    assert_eq!(jobs::with_recording(&mut tx, &failed).await.unwrap().len(), 100);
    let deadline = Duration::from_hours(1);
    assert_eq!(jobs::retry(&mut tx, caller_id, &failed, deadline).await.unwrap().len(), 100);
    assert_eq!(jobs::cancel(&mut tx, caller_id, &failed).await.unwrap().len(), 100);
    let names = [("0".to_owned(), "Rachel".to_owned())].into();
    let changed = insights::name_speakers(&mut tx, &completed, &names).await.unwrap();
    assert_eq!(changed.len(), 100);
    insights::speaker_ids(&mut **tx, &completed).await.unwrap();
    reads_little(&mut tx, 1500).await;
}
