//! One command for many jobs.
use std::collections::BTreeSet;

use aftercall::callers::{self, KeyTerms};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    app::{RECORDING, TestApp},
    eventually, fixture,
    seed::seed,
};

const PATH: &str = "/v1/jobs/actions";

async fn act(app: &TestApp, body: Value) -> Value {
    let answer = app.post(PATH, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn failed(app: &TestApp, tags: &[&str]) -> Uuid {
    let body = json!({ "contentUri": RECORDING, "encoding": "Wav", "tags": tags });
    let id = app.post("/v1/jobs", &body).await.id();
    let job = app.dispatched(id).await;
    let fail = json!({ "status": "Fail", "response": { "errors": [] } });
    app.deliver(&job.webhook, fail.to_string()).await;
    id
}

async fn completed(app: &TestApp) -> Uuid {
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    job.id
}

async fn state(app: &TestApp, id: Uuid) -> String {
    app.job(id).await["state"].as_str().unwrap().to_owned()
}

/// Without `refused`.
fn summary(acted: &Value) -> (i64, i64, bool) {
    let number = |name: &str| acted[name].as_i64().unwrap();
    assert_eq!(acted["hasMore"], acted["nextCursor"].is_string(), "{acted}");
    (number("matched"), number("done"), acted["hasMore"].as_bool().unwrap())
}

fn refused(acted: &Value) -> Vec<(Uuid, &str)> {
    let all = acted["refused"].as_array().unwrap().iter();
    all.map(|it| (it["id"].as_str().unwrap().parse().unwrap(), it["code"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_filter_retries_what_can_be_retried() {
    let app = TestApp::start().await;
    let (one, two) = (failed(&app, &["a"]).await, failed(&app, &["b"]).await);
    let done = completed(&app).await;
    let waiting = app.submit().await;

    let dry = act(&app, json!({ "action": "retry", "filter": {}, "dryRun": true })).await;
    assert_eq!((summary(&dry), refused(&dry)), ((2, 2, false), vec![]));
    assert_eq!(state(&app, one).await, "failed");
    assert_eq!(app.timeline(one).await.last().unwrap(), "failed");

    let tagged = act(&app, json!({ "action": "retry", "filter": { "tag": ["a"] } })).await;
    assert_eq!(summary(&tagged), (1, 1, false));
    assert_eq!([state(&app, one).await, state(&app, two).await], ["queued", "failed"]);

    let all = act(&app, json!({ "action": "retry", "filter": { "status": ["failed", "queued"] } }));
    assert_eq!(summary(&all.await), (1, 1, false));
    assert_eq!(app.last_event(two).await, json!({ "because": "retry" }));
    for filter in [json!({}), json!({ "status": ["completed", "queued"] })] {
        let again = act(&app, json!({ "action": "retry", "filter": filter })).await;
        assert_eq!((summary(&again), refused(&again)), ((0, 0, false), vec![]));
    }
    assert_eq!([state(&app, done).await, state(&app, waiting).await], ["completed", "queued"]);
    assert_eq!(app.dispatcher.drain().await, 3);
}

#[tokio::test]
async fn each_job_refuses_for_itself() {
    let app = TestApp::start().await;
    let (good, bad) = (failed(&app, &[]).await, failed(&app, &[]).await);
    app.about(bad, "update aftercall.jobs set request = '{\"encoding\": \"Wav\"}' where id = $1")
        .await;
    let done = completed(&app).await;
    callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    seed(&app.db.pool, "other", 10, 0).await;
    let foreign: Uuid = sqlx::query_scalar(
        "select j.id from aftercall.jobs j join aftercall.callers c on c.id = j.caller_id
         where c.name = 'other' and state = 'failed' limit 1",
    )
    .fetch_one(&app.db.pool)
    .await
    .unwrap();
    let ids = [good, bad, done, foreign, good];
    let request = json!({ "action": "retry", "ids": ids });
    let mut expected =
        vec![(bad, "recording-expired"), (done, "state-conflict"), (foreign, "job-not-found")];
    expected.sort();
    let mut dry = request.clone();
    dry["dryRun"] = true.into();
    for request in [dry, request] {
        let acted = act(&app, request).await;
        let mut told = refused(&acted);
        told.sort();
        assert_eq!((summary(&acted), told), ((4, 1, false), expected.clone()));
        assert_eq!(acted["refused"].as_array().unwrap().len(), 3);
    }
    assert_eq!(state(&app, good).await, "queued");
    assert_eq!(state(&app, bad).await, "failed");
    let detail = "select state from aftercall.jobs where id = $1";
    let untouched: String =
        sqlx::query_scalar(detail).bind(foreign).fetch_one(&app.db.pool).await.unwrap();
    assert_eq!(untouched, "failed");
}

#[tokio::test]
async fn open_jobs_are_canceled() {
    let app = TestApp::start().await;
    let (done, sent, waiting) =
        (completed(&app).await, app.submitted().await.id, app.submit().await);
    let acted = act(&app, json!({ "action": "cancel", "filter": {} })).await;
    assert_eq!(summary(&acted), (2, 2, false));
    let states = [state(&app, done).await, state(&app, sent).await, state(&app, waiting).await];
    assert_eq!(states, ["completed", "canceled", "canceled"]);
}

#[tokio::test]
async fn speakers_are_named_where_there_are_such_speakers() {
    let app = TestApp::start().await;
    let (one, two) = (completed(&app).await, completed(&app).await);
    let waiting = app.submit().await;
    let names = json!({ "0": "Rachel" });
    let request = json!({ "action": "nameSpeakers", "names": names, "filter": {} });
    assert_eq!(summary(&act(&app, request).await), (2, 2, false));
    for id in [one, two] {
        let speakers = app.get(&format!("/v1/jobs/{id}/speakers")).await.json();
        assert_eq!(speakers["data"][0]["speaker"], "Rachel", "{speakers}");
        assert_eq!(app.timeline(id).await.last().unwrap(), "speakers_named");
    }
    let unknown = json!({ "0": "Rachel", "no one": "Tom" });
    let request = json!({ "action": "nameSpeakers", "names": unknown, "ids": [one, waiting] });
    let acted = act(&app, request).await;
    assert_eq!(summary(&acted), (2, 0, false));
    assert_eq!(refused(&acted), [(one, "validation-failed"), (waiting, "result-not-available")]);
    let detail = acted["refused"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("#/no one is not a speaker of this result"), "{detail}");
}

#[tokio::test]
async fn many_jobs_take_several_requests_whatever_is_refused() {
    // One request has time for all that it may look at.
    let long = std::time::Duration::from_mins(10);
    let app = TestApp::with(|settings| settings.api.request_timeout = long).await;
    // One of ten is failed, and the oldest cannot be retried.
    seed(&app.db.pool, "app", 11_000, 0).await;
    let spoil = "update aftercall.jobs set request = '{}' where id in
        (select id from aftercall.jobs where state = 'failed' order by id limit 550)";
    sqlx::query(spoil).execute(&app.db.pool).await.unwrap();
    let mut request = json!({ "action": "retry", "filter": { "status": ["failed"] } });
    let mut pages = Vec::new();
    let mut bad = BTreeSet::new();
    loop {
        let acted = act(&app, request.clone()).await;
        pages.push(summary(&acted));
        bad.extend(refused(&acted).into_iter().map(|(id, _)| id));
        if acted["hasMore"] == false {
            break;
        }
        request["cursor"] = acted["nextCursor"].clone();
    }
    assert_eq!(pages, [(1100, 0, true), (600, 450, true), (100, 100, false)]);
    assert_eq!(bad.len(), 550);
    let other = json!({ "action": "retry", "filter": {}, "cursor": request["cursor"] });
    app.post(PATH, &other).await.problem(400, "cursor-mismatch");
}

#[tokio::test]
async fn a_request_ends_in_time_and_says_that_some_are_left() {
    let timeout = std::time::Duration::from_secs(6);
    let app = TestApp::with(|settings| settings.api.request_timeout = timeout).await;
    seed(&app.db.pool, "app", 5000, 0).await;
    // Somebody has the first of them for as long as the request may take.
    let mut other = app.db.pool.begin().await.unwrap();
    let first =
        "select id from aftercall.jobs where state = 'failed' order by id limit 1 for update";
    sqlx::query(first).execute(&mut *other).await.unwrap();
    let mut request = json!({ "action": "retry", "filter": {}, "dryRun": true });
    let release = async {
        eventually("half of the time is over", async || {
            let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
                and datname = current_database() and now() - query_start > interval '3 seconds'";
            (app.count(waits).await > 0).then_some(())
        })
        .await;
        other.rollback().await.unwrap();
    };
    let (acted, ()) = tokio::join!(act(&app, request.clone()), release);
    assert_eq!(summary(&acted), (500, 100, true));
    request["cursor"] = acted["nextCursor"].clone();
    assert_eq!(summary(&act(&app, request).await).0, 400);
}

#[tokio::test]
async fn concurrent_requests_change_each_job_once() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(failed(&app, &[]).await);
    }
    let by_filter = json!({ "action": "retry", "filter": {} });
    let by_ids = json!({ "action": "retry", "ids": ids });
    let requests = (0..4).flat_map(|_| [&by_filter, &by_ids]);
    let many = requests.map(|request| act(&app, request.clone()));
    let singles = ids.iter().map(|id| {
        let path = format!("/v1/jobs/{id}/retry");
        let app = &app;
        async move { app.post(&path, &json!({})).await.status == 202 }
    });
    let (many, singles) = tokio::join!(join_all(many), join_all(singles));
    let done: i64 = many.iter().map(|acted| acted["done"].as_i64().unwrap()).sum();
    let alone = singles.into_iter().filter(|is_done| *is_done).count();
    assert_eq!(usize::try_from(done).unwrap() + alone, ids.len(), "{many:?}");
    for acted in &many {
        assert!(refused(acted).iter().all(|(_, code)| *code == "state-conflict"), "{acted}");
    }
    for id in ids {
        let retries = app.timeline(id).await;
        assert_eq!(retries.iter().filter(|kind| *kind == "queued").count(), 2, "{retries:?}");
    }
}

#[tokio::test]
async fn what_is_asked_must_be_complete_and_not_ambiguous() {
    let app = TestApp::start().await;
    let id = Uuid::now_v7();
    for (body, fault) in [
        (json!({ "action": "retry" }), "# missing"),
        (json!({ "action": "retry", "ids": [id], "filter": {} }), "#/ids conflict"),
        (json!({ "action": "retry", "ids": [] }), "#/ids length"),
        (json!({ "action": "retry", "ids": vec![id; 501] }), "#/ids length"),
        (json!({ "action": "retry", "ids": [id], "names": {} }), "#/names conflict"),
        (json!({ "action": "nameSpeakers", "ids": [id] }), "#/names missing"),
        (
            json!({ "action": "nameSpeakers", "ids": [id], "names": { "0": " " } }),
            "#/names/0 format",
        ),
        (json!({ "action": "cancel", "filter": { "tag": ["\0"] } }), "#/filter/tag/0 nul"),
        (json!({ "action": "delete", "filter": {} }), "# format"),
        (json!({ "action": "cancel", "filter": { "state": [] } }), "# format"),
        (json!({ "action": "cancel", "filter": { "createdAfter": "today" } }), "# format"),
        (json!([]), "# format"),
    ] {
        assert_eq!(app.post(PATH, &body).await.faults(), [fault], "{body}");
    }
}
