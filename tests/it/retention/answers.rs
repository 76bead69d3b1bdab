//! What callers and operators get about what is gone.
use std::time::Duration;

use aftercall::{
    callers::{self, KeyTerms, Scope},
    config::RetentionSettings,
};
use axum::http::{Request, header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::past;
use crate::support::{app::TestApp, fixture};

const AGE: Duration = Duration::from_hours(90 * 24);

const OF_RESULT: [&str; 7] = [
    "result",
    "utterances",
    "speakers",
    "insights",
    "shape",
    "transcript",
    "transcript?format=srt",
];

/// Ids in a page or in lines.
fn ids(values: &[Value], member: &str) -> Vec<Uuid> {
    values.iter().map(|value| value[member].as_str().unwrap().parse().unwrap()).collect()
}

async fn page(app: &TestApp, path: &str) -> Vec<Value> {
    let answer = app.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()["data"].as_array().unwrap().clone()
}

async fn lines(app: &TestApp, path: &str) -> Vec<Value> {
    let body = app.get(path).await.body;
    let lines = std::str::from_utf8(&body).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_expired_result_is_gone_and_its_job_says_since_when() {
    let app = TestApp::start().await;
    // One goes with its month, the other one by its rows.
    for days in [3 * 365, 91] {
        let (id, kept) = (past::completed(&app, days).await, past::completed(&app, 89).await);
        let before = app.get(&format!("/v1/jobs/{id}/result")).await;
        assert_eq!(before.status, 200);
        let old_etag = app.get(&format!("/v1/jobs/{id}")).await.header("etag").to_owned();
        past::apply(&app.db, |it| it.results = Some(AGE)).await;

        let job = app.job(id).await;
        assert_eq!(job["state"], "completed");
        let expired_at = job["resultExpiredAt"].as_str().unwrap();
        assert!(app.job(kept).await.get("resultExpiredAt").is_none());
        for part in OF_RESULT {
            let answer = app.get(&format!("/v1/jobs/{id}/{part}")).await;
            let problem = answer.problem(410, "result-expired");
            assert_eq!(problem["expiredAt"], expired_at, "{part}");
            assert!(problem["detail"].as_str().unwrap().contains(&expired_at[..10]), "{problem}");
            assert_eq!(app.get(&format!("/v1/jobs/{kept}/{part}")).await.status, 200, "{part}");
        }
        // A validator that a client kept does not bring it back.
        for etag in [before.header("etag"), "*"] {
            let request = app.request("GET", &format!("/v1/jobs/{id}/result"));
            let answer = app.ask(request.header(header::IF_NONE_MATCH, etag)).await;
            answer.problem(410, "result-expired");
        }
        let request =
            app.request("GET", &format!("/v1/jobs/{id}")).header(header::IF_NONE_MATCH, &old_etag);
        assert_eq!(app.ask(request).await.status, 200, "the job has changed");
        let name = app.request("PUT", &format!("/v1/jobs/{id}/speakers"));
        app.send(name, json!({ "0": "Rachel" }).to_string()).await.problem(410, "result-expired");
        assert_eq!(app.timeline(id).await.last().unwrap(), "result_expired");

        let listed = page(&app, "/v1/jobs").await;
        assert!(ids(&listed, "id").contains(&id), "the job stays in lists");
        let by_result = page(&app, "/v1/jobs?minSpeakers=1").await;
        assert!(!ids(&by_result, "id").contains(&id) && ids(&by_result, "id").contains(&kept));
        let hits = page(&app, "/v1/search?q=call").await;
        assert!(!hits.is_empty() && !ids(&hits, "jobId").contains(&id), "{hits:?}");
        let said = lines(&app, "/v1/exports/utterances.ndjson").await;
        assert!(!ids(&said, "jobId").contains(&id) && ids(&said, "jobId").contains(&kept));
        let exported = lines(&app, "/v1/exports/jobs.ndjson").await;
        let line = exported.iter().find(|line| line["id"] == id.to_string()).unwrap();
        assert_eq!(line["resultExpiredAt"], expired_at);
    }
}

#[tokio::test]
async fn marked_results_are_gone_before_their_rows_are() {
    let app = TestApp::start().await;
    let id = past::completed(&app, 200).await;
    app.about(id, "update aftercall.jobs set result_expired_at = now() where id = $1").await;
    for part in OF_RESULT {
        app.get(&format!("/v1/jobs/{id}/{part}")).await.problem(410, "result-expired");
    }
    for path in ["/v1/jobs?minSpeakers=1", "/v1/search?q=call"] {
        assert!(page(&app, path).await.is_empty(), "{path}");
    }
    assert!(lines(&app, "/v1/exports/utterances.ndjson").await.is_empty());
}

#[tokio::test]
async fn a_replay_brings_no_expired_result_back() {
    let app = TestApp::start().await;
    let id = past::completed(&app, 91).await;
    past::apply(&app.db, |it| {
        it.results = Some(AGE);
        it.timeline = Some(AGE);
    })
    .await;
    let scopes = &[Scope::AdminRead, Scope::AdminWrite, Scope::TranscriptRaw];
    let terms = KeyTerms { scopes, ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, "operator", "test", terms).await.unwrap();
    let bearer = format!("Bearer {}", key.text.expose_secret());
    let request = |method: &str, path: &str| {
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, &bearer)
    };
    let find = "select id from aftercall.deliveries where job_id = $1";
    let delivery: Uuid = sqlx::query_scalar(find).bind(id).fetch_one(&app.db.pool).await.unwrap();
    let path = format!("/v1/admin/deliveries/{delivery}/replay");
    let replayed = app.send(request("POST", &path), "{}").await;
    assert_eq!(replayed.status, 202, "{replayed:?}");
    assert_eq!(replayed.json()["outcome"], "superseded", "{replayed:?}");
    app.get(&format!("/v1/jobs/{id}/result")).await.problem(410, "result-expired");

    past::apply(&app.db, |it| it.deliveries = Some(AGE)).await;
    app.send(request("POST", &path), "{}").await.problem(404, "delivery-not-found");
    let body = format!("/v1/admin/deliveries/{delivery}/body");
    app.ask(request("GET", &body)).await.problem(404, "delivery-not-found");
}

#[tokio::test]
async fn an_uploaded_recording_is_gone_a_week_after_its_job_failed() {
    let app = TestApp::start().await;
    let (old, new) = (past::failed(&app, 8).await, past::failed(&app, 6).await);
    let by_url = app.submitted().await;
    app.deliver(&by_url.webhook, fixture("seed/failure.json")).await;
    let by_url = past::moved(&app, by_url.id, 8).await;
    let default = aftercall::config::load(None).unwrap().settings.retention;
    let week = |it: &mut RetentionSettings| *it = default.clone();
    past::apply(&app.db, week).await;
    let retry = async |id: Uuid| app.post(&format!("/v1/jobs/{id}/retry"), &Value::Null).await;
    let problem = retry(old).await.problem(410, "recording-expired");
    assert!(problem["detail"].as_str().unwrap().contains("retention.contents"), "{problem}");
    assert_eq!(app.job(old).await["state"], "failed");
    for id in [new, by_url] {
        assert_eq!(retry(id).await.status, 202);
    }
}

#[tokio::test]
async fn a_deleted_job_never_existed() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    let id = past::moved(&app, job.id, 91).await;
    past::apply(&app.db, |it| it.jobs = Some(AGE)).await;
    for path in ["", "/result", "/timeline", "/transcript"] {
        app.get(&format!("/v1/jobs/{id}{path}")).await.problem(404, "job-not-found");
    }
    app.post(&format!("/v1/jobs/{id}/retry"), &Value::Null).await.problem(404, "job-not-found");
    assert_eq!(app.deliver(&job.webhook, fixture("seed/success.json")).await.status, 404);
    assert!(page(&app, "/v1/jobs").await.is_empty());
}

/// Ids that anyone can make up must not create partitions.
#[tokio::test]
async fn requests_about_no_job_create_no_partitions() {
    let app = TestApp::start().await;
    let before = past::contents(&app.db).await;
    let path = "/v1/jobs/0102c0de-0000-7000-8000-000000000000";
    app.post(&format!("{path}/retry"), &Value::Null).await.problem(404, "job-not-found");
    let name = app.request("PUT", &format!("{path}/speakers"));
    app.send(name, json!({ "0": "Rachel" }).to_string()).await.problem(404, "job-not-found");
    assert_eq!(past::contents(&app.db).await.len(), before.len());
}
