//! Everything that changes or deletes a result, in the process that does it and in others.
use std::collections::BTreeSet;

use aftercall::{
    admin::reparse,
    config::{self, RetentionSettings},
    insights::{self, Analysis, DocumentOrigin, Outdated, Prepared},
    jobs::{self, Announcer, Change, JobId, RESULTS_CHANNEL},
    provider::PARSER_VERSION,
    retention::Retention,
};
use axum::http::StatusCode;
use sqlx::postgres::PgListener;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    SOON, ask, change_unnoticed,
    memory::{is_known, remembering},
    remembered,
};
use crate::{
    query::completed,
    retention::past,
    support::{answer::Answer, app::TestApp, eventually_at, soon},
};

const DAY: u64 = 24 * 60 * 60;

async fn replace(tx: &mut Change<'_>, job_id: JobId) {
    let prepared = Prepared::from(Analysis::default());
    let origin = DocumentOrigin { job_id, provider_job_id: None, parser_version: 1 };
    insights::replace(tx, &[(origin, &prepared)]).await.unwrap();
}

#[tokio::test]
async fn a_commit_makes_its_process_forget_without_any_notification() {
    let app = TestApp::start().await;
    for change in ["replace", "expire", "remove the result", "remove the job"] {
        let job_id: JobId = completed(&app).await.into();
        let hot = remembering(&[job_id]);
        let announcer = Announcer::default().forgetting(hot.clone());
        let mut tx = announcer.quiet().begin(&app.db.pool).await.unwrap();
        match change {
            "replace" => replace(&mut tx, job_id).await,
            "expire" => jobs::expire_results(&mut tx, &[job_id], None).await.unwrap(),
            "remove the result" => drop(insights::remove(&mut tx, &[job_id]).await.unwrap()),
            _ => drop(jobs::remove(&mut tx, &[job_id]).await.unwrap()),
        }
        hot.is_current_at(Instant::now());
        assert!(is_known(&hot, job_id), "{change}: not yet");
        tx.commit().await.unwrap();
        hot.is_current_at(Instant::now());
        assert!(!is_known(&hot, job_id), "{change}");
    }
}

#[tokio::test]
async fn every_changed_result_is_notified_of_once_it_is_committed() {
    let app = TestApp::start().await;
    let mut listener = PgListener::connect_with(&app.db.pool).await.unwrap();
    listener.listen(RESULTS_CHANNEL).await.unwrap();
    let ids: Vec<JobId> = (0..1000).map(|_| JobId::generate()).collect();
    for is_committed in [false, true] {
        let mut tx = Announcer::default().begin(&app.db.pool).await.unwrap();
        insights::remove(&mut tx, &ids[usize::from(is_committed)..]).await.unwrap();
        jobs::remove(&mut tx, &ids[1..]).await.unwrap();
        if is_committed {
            tx.commit().await.unwrap();
        }
    }
    let mut told = BTreeSet::new();
    while told.len() < 999 {
        let notification = soon("a notification", listener.recv()).await.unwrap();
        for id in notification.payload().split(',') {
            assert!(told.insert(JobId::from(id.parse::<Uuid>().unwrap())), "{id} twice");
        }
    }
    assert!(told.into_iter().eq(ids.into_iter().skip(1)));
}

/// Has retention delete in the process of `app`.
async fn retain(app: &TestApp, adjust: impl FnOnce(&mut RetentionSettings)) {
    let announcer = app.announcer.clone();
    Retention { announcer, ..past::retention(&app.db, adjust) }.apply().await.unwrap();
}

/// Asks both processes after a change by the first.
async fn seen_by_both(
    app: &TestApp,
    id: Uuid,
    change: impl AsyncFnOnce(),
    is_new: impl Fn(&Answer) -> bool,
) {
    app.feed_events();
    let other = app.another_api().await;
    let before = remembered(app, &app.api, id).await;
    assert_eq!(remembered(app, &other, id).await.body, before.body);
    change().await;
    let here = ask(app, &app.api, id).await;
    assert!(is_new(&here), "{here:?}");
    eventually_at(SOON, "the change in another process", async || {
        is_new(&ask(app, &other, id).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_expired_result_is_gone_in_all_processes() {
    let app = TestApp::start().await;
    let id = past::completed(&app, 40).await;
    let expire = async || {
        let age = std::time::Duration::from_secs(30 * DAY);
        retain(&app, |settings| settings.results = Some(age)).await;
    };
    seen_by_both(&app, id, expire, |answer| answer.status == StatusCode::GONE).await;
}

#[tokio::test]
async fn the_result_of_a_deleted_job_is_gone_in_all_processes() {
    let app = TestApp::start().await;
    let id = past::completed(&app, 40).await;
    let delete = async || {
        let age = std::time::Duration::from_secs(30 * DAY);
        retain(&app, |settings| settings.jobs = Some(age)).await;
    };
    seen_by_both(&app, id, delete, |answer| answer.status == StatusCode::NOT_FOUND).await;
}

/// As the command line does, so both processes are others.
#[tokio::test]
async fn a_reparsed_result_is_the_new_one_in_all_processes() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let other = app.another_api().await;
    app.feed_events();
    let right = ask(&app, &app.api, id).await;
    change_unnoticed(&app).await;
    app.about(id, "update aftercall.results set parser_version = 0 where job_id = $1").await;
    for api in [&app.api, &other] {
        eventually_at(SOON, "the wrong result in memory", async || {
            (remembered(&app, api, id).await.body == "{}").then_some(())
        })
        .await;
    }
    let which = Outdated { below: PARSER_VERSION, ..Outdated::default() };
    let limits = config::load(None).unwrap().settings.text_limits();
    let done = reparse::run(&app.db.pool, app.seal(), &which, limits).await.unwrap();
    assert_eq!(done.reparsed, 1);
    for api in [&app.api, &other] {
        eventually_at(SOON, "the new result", async || {
            (ask(&app, api, id).await.body == right.body).then_some(())
        })
        .await;
    }
}
