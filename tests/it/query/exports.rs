//! Exports: complete, in order, resumable after any line, and never truncated without notice.

use aftercall::{
    callers::{self, KeyTerms},
    http,
};
use axum::{body::Body, http::StatusCode};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{answer::Answer, app::TestApp, eventually, seed::seed};

const JOBS: &str = "/v1/exports/jobs.ndjson";
const UTTERANCES: &str = "/v1/exports/utterances.ndjson";
/// More than the sockets and buffers along the way can hold.
const LONG: i32 = 40_000;

async fn seeded(jobs: i32, utterances: i32) -> TestApp {
    let app = TestApp::start().await;
    callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    for caller in ["app", "other"] {
        seed(&app.db.pool, caller, jobs, utterances).await;
    }
    app
}

async fn lines(app: &TestApp, path: &str) -> Vec<Value> {
    let answer = app.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Jobs, oldest first, without their links.
async fn listed(app: &TestApp, filters: &str) -> Vec<Value> {
    let path = format!("/v1/jobs?sort=createdAt&limit=200&{filters}");
    let mut jobs = app.get(&path).await.json()["data"].as_array().unwrap().clone();
    for job in &mut jobs {
        job.as_object_mut().unwrap().remove("links").unwrap();
    }
    jobs
}

#[tokio::test]
async fn jobs_are_exported_as_they_are_listed() {
    let app = seeded(60, 0).await;
    let answer = app.get(JOBS).await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"jobs.ndjson\"");
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert!(!String::from_utf8_lossy(&answer.body).contains("hush"));
    assert_eq!(lines(&app, JOBS).await, listed(&app, "").await);
    let some = "status=failed&tag=of-2-1&language=en-US";
    let listed = listed(&app, some).await;
    assert_eq!(listed.len(), 4);
    assert_eq!(lines(&app, &format!("{JOBS}?{some}")).await, listed);
}

#[tokio::test]
async fn utterances_are_exported_with_their_jobs_and_names() {
    let app = seeded(20, 3).await;
    let named = "insert into aftercall.speaker_names (job_id, speaker_id, name)
        select id, '1', 'Rachel \"R\"' from aftercall.jobs where external_id = 'call-7'";
    sqlx::query(named).execute(&app.db.pool).await.unwrap();
    let all = lines(&app, UTTERANCES).await;
    assert_eq!(all.len(), 16 * 3);
    let keys: Vec<_> = all.iter().map(|line| (&line["jobId"], &line["seq"])).collect();
    assert!(keys.is_sorted_by_key(|(job, seq)| (job.as_str().unwrap(), seq.as_i64().unwrap())));
    let of_job = lines(&app, &format!("{UTTERANCES}?externalId=call-7")).await;
    let job_id = &of_job[0]["jobId"];
    let expected = json!({
        "jobId": job_id, "externalId": "call-7", "seq": 1, "start": 2.5, "end": 4.4,
        "speakerId": "1", "speaker": "Rachel \"R\"", "text": "What is said, \"1\"\n",
        "confidence": null, "emotion": "Joy", "emotionConfidence": null,
    });
    assert_eq!(of_job.len(), 3);
    assert_eq!(of_job[1], expected);
    assert_eq!(of_job[2]["speaker"], Value::Null);
    let shown = app.get(&format!("/v1/jobs/{}", job_id.as_str().unwrap())).await;
    assert_eq!(shown.json()["externalId"], "call-7");
}

#[tokio::test]
async fn an_export_goes_on_after_any_line() {
    let app = seeded(40, 3).await;
    let all = lines(&app, JOBS).await;
    for (n, line) in all.iter().enumerate() {
        let rest = lines(&app, &format!("{JOBS}?cursor={}", line["id"].as_str().unwrap())).await;
        assert_eq!(rest, all[n + 1..]);
    }
    for filter in ["", "tag=of-2-1&"] {
        let path = format!("{UTTERANCES}?{filter}");
        let all = lines(&app, &path).await;
        for (n, line) in all.iter().enumerate() {
            let cursor = format!("{}.{}", line["jobId"].as_str().unwrap(), line["seq"]);
            assert_eq!(lines(&app, &format!("{path}cursor={cursor}")).await, all[n + 1..]);
        }
    }
}

#[tokio::test]
async fn wrong_parameters_are_refused() {
    let app = seeded(0, 0).await;
    for (path, parameter) in [
        (format!("{JOBS}?cursor=x"), "cursor"),
        (format!("{JOBS}?sort=createdAt"), "sort"),
        (format!("{JOBS}?limit=5"), "limit"),
        (format!("{JOBS}?createdAfter=x"), "createdAfter"),
        (format!("{UTTERANCES}?cursor=00000000-0000-0000-0000-000000000000"), "cursor"),
        (format!("{UTTERANCES}?cursor=00000000-0000-0000-0000-000000000000."), "cursor"),
        (format!("{UTTERANCES}?cursor=1.1"), "cursor"),
    ] {
        let problem = app.get(&path).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{path}");
    }
}

/// An export over a real connection, of which only the first piece has been read.
async fn begun(app: &TestApp) -> reqwest::Response {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{UTTERANCES}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(http::serve(listener, app.api.clone(), http::Terms::default(), stop));
    let client = reqwest::Client::builder().build().unwrap();
    let mut response = client.get(url).bearer_auth(&app.key).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    response
}

#[tokio::test]
async fn an_export_whose_database_goes_away_is_seen_to_be_incomplete() {
    let app = seeded(1, LONG).await;
    let response = begun(&app).await;
    app.db.end_sessions().await;
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn an_export_ends_with_its_process() {
    let app = seeded(1, LONG).await;
    let response = begun(&app).await;
    app.db.runtime.close().await;
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn an_export_is_whole_over_a_real_connection() {
    let app = seeded(2, LONG).await;
    let first = begun(&app).await.text().await.unwrap();
    assert!(first.ends_with(
        "\"seq\":39999,\"start\":99997.5,\"end\":99999.4,\"speakerId\":\"1\",\
        \"speaker\":null,\"text\":\"What is said, \\\"39999\\\"\\n\",\"confidence\":null,\
        \"emotion\":\"Joy\",\"emotionConfidence\":null}\n"
    ));
}

#[tokio::test]
async fn only_so_many_exports_run_at_once() {
    let app = TestApp::with(|settings| settings.api.max_exports = 1).await;
    seed(&app.db.pool, "app", 1, LONG).await;
    let request = app.request("GET", UTTERANCES).body(Body::empty()).unwrap();
    let mut running = app.api.clone().oneshot(request).await.unwrap();
    assert!(running.body_mut().frame().await.unwrap().is_ok());
    let refused = app.get(JOBS).await;
    refused.problem(503, "too-many-exports");
    assert_eq!(refused.header("retry-after"), "5");
    drop(running);
    let after = eventually("the end of the export that nobody reads", async || {
        let answer = app.get(JOBS).await;
        (answer.status == StatusCode::OK).then_some(answer)
    });
    assert!(after.await.body.ends_with(b"}\n"));
}

#[tokio::test]
async fn what_belongs_to_others_is_not_exported() {
    let app = seeded(20, 2).await;
    let key = callers::create(&app.db.pool, "third", "test", KeyTerms::default()).await.unwrap();
    for path in [JOBS, UTTERANCES] {
        let mut request = app.request("GET", path);
        let bearer = format!("Bearer {}", key.text.expose_secret()).parse().unwrap();
        request.headers_mut().unwrap().insert("authorization", bearer);
        let answer: Answer = app.ask(request).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    }
    assert_eq!(lines(&app, JOBS).await.len(), 20);
    assert_eq!(lines(&app, UTTERANCES).await.len(), 16 * 2);
}
