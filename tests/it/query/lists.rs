//! Lists of jobs: filters, stable pages, and cursors that fit only their own listing.
use aftercall::callers::{self, KeyTerms};
use axum::http::header;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{answer::Answer, app::TestApp, fixture};

fn ids(page: &Value) -> Vec<Uuid> {
    let jobs = page["data"].as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_str().unwrap().parse().unwrap()).collect()
}

async fn queue(app: &TestApp, jobs: usize) -> Vec<Uuid> {
    let mut newest_first = Vec::new();
    for _ in 0..jobs {
        newest_first.insert(0, app.submit().await);
    }
    newest_first
}

#[tokio::test]
async fn a_walk_sees_each_job_once_whatever_comes_meanwhile() {
    let app = TestApp::start().await;
    let jobs = queue(&app, 7).await;
    let mut seen = Vec::new();
    let mut path = "/v1/jobs?limit=3".to_owned();
    loop {
        let answer = app.get(&path).await;
        let page = answer.json();
        seen.extend(ids(&page));
        app.submit().await;
        if page["hasMore"] == false {
            assert_eq!(page["nextCursor"], Value::Null);
            assert!(!answer.headers.contains_key("link"));
            break;
        }
        let link = answer.header("link").strip_prefix('<').unwrap();
        let (next, relation) = link.split_once('>').unwrap();
        assert_eq!(relation, "; rel=\"next\"");
        assert!(next.contains(page["nextCursor"].as_str().unwrap()));
        path = next.to_owned();
    }
    assert_eq!(seen, jobs);
}

#[tokio::test]
async fn jobs_are_filtered_by_status() {
    let app = TestApp::start().await;
    let completed = app.submitted().await;
    app.deliver(&completed.webhook, fixture("seed/success.json")).await;
    let submitted = app.submitted().await;
    let queued = app.submit().await;
    for (query, expected) in [
        ("", vec![queued, submitted.id, completed.id]),
        ("?status=queued", vec![queued]),
        ("?status=completed&status=submitted", vec![submitted.id, completed.id]),
        ("?status=failed", vec![]),
    ] {
        let page = app.get(&format!("/v1/jobs{query}")).await.json();
        assert_eq!(ids(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn jobs_are_filtered_by_external_id_and_the_next_page_keeps_the_filter() {
    let app = TestApp::start().await;
    let name = "a&b=ö \"1\"";
    let body = json!({ "contentUri": "https://m.example/", "encoding": "Wav", "externalId": name });
    let mut named = Vec::new();
    for _ in 0..3 {
        named.insert(0, app.post("/v1/jobs", &body).await.id());
        app.submit().await;
    }
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("externalId", name)
        .append_pair("status", "queued")
        .append_pair("limit", "2")
        .finish();
    let first = app.get(&format!("/v1/jobs?{query}")).await;
    assert_eq!(ids(&first.json()), named[..2]);
    let next = first.header("link").strip_prefix('<').unwrap().split_once('>').unwrap().0;
    assert_eq!(ids(&app.get(next).await.json()), named[2..]);
}

#[tokio::test]
async fn a_cursor_fits_its_own_listing_only() {
    let app = TestApp::start().await;
    let jobs = queue(&app, 3).await;
    let page = app.get("/v1/jobs?limit=1&status=queued").await.json();
    let cursor = page["nextCursor"].as_str().unwrap();
    let right = app.get(&format!("/v1/jobs?status=queued&cursor={cursor}")).await.json();
    assert_eq!(ids(&right), jobs[1..]);
    for wrong in [
        format!("/v1/jobs?cursor={cursor}"),
        format!("/v1/jobs?status=failed&cursor={cursor}"),
        format!("/v1/jobs?status=queued&externalId=x&cursor={cursor}"),
        format!("/v1/jobs/{}/timeline?cursor={cursor}", jobs[0]),
        format!("/v1/jobs?status=queued&cursor={}", &cursor[1..]),
        format!("/v1/jobs?status=queued&cursor=_{}", &cursor[1..]),
        "/v1/jobs?status=queued&cursor=%F0%9F%98%80".to_owned(),
    ] {
        app.get(&wrong).await.problem(400, "cursor-mismatch");
    }
    let timeline = async |id: Uuid, rest: &str| {
        app.dispatcher.drain().await;
        app.get(&format!("/v1/jobs/{id}/timeline?limit=1{rest}")).await
    };
    let page = timeline(jobs[0], "").await.json();
    let cursor = format!("&cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!(timeline(jobs[0], &cursor).await.status, 200);
    timeline(jobs[1], &cursor).await.problem(400, "cursor-mismatch");
}

#[tokio::test]
async fn a_cursor_of_another_caller_is_refused() {
    let app = TestApp::start().await;
    queue(&app, 2).await;
    let page = app.get("/v1/jobs?limit=1").await.json();
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    let bearer = format!("Bearer {}", other.text.expose_secret()).parse().unwrap();
    let path = format!("/v1/jobs?limit=1&cursor={}", page["nextCursor"].as_str().unwrap());
    let mut request = app.request("GET", &path);
    request.headers_mut().unwrap().insert(header::AUTHORIZATION, bearer);
    app.ask(request).await.problem(400, "cursor-mismatch");
}

#[tokio::test]
async fn limits_have_bounds() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    let ask = async |path: &str, limit: &str| -> Answer {
        app.get(&format!("{path}?limit={limit}")).await
    };
    for path in ["/v1/jobs".to_owned(), format!("/v1/jobs/{id}/timeline")] {
        for limit in ["1", "200"] {
            assert_eq!(ask(&path, limit).await.status, 200, "{limit}");
        }
        for limit in ["0", "-1", "201", "9223372036854775807", "9223372036854775808", "ten"] {
            ask(&path, limit).await.problem(400, "invalid-parameter");
        }
    }
}

#[tokio::test]
async fn unknown_parameters_and_values_are_refused() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    for path in [
        "/v1/jobs?state=queued".to_owned(),
        "/v1/jobs?status=done".to_owned(),
        "/v1/jobs?status=Queued".to_owned(),
        "/v1/jobs?limit=1&limit=2".to_owned(),
        "/v1/jobs?externalId=a%00b".to_owned(),
        "/v1/jobs?status=queued&page=2".to_owned(),
        format!("/v1/jobs/{id}/timeline?status=queued"),
        format!("/v1/jobs/{id}/utterances?since=1"),
        format!("/v1/jobs/{id}/insights?names=Topics"),
        format!("/v1/jobs/{id}/insights?name=%00"),
    ] {
        let problem = app.get(&path).await.problem(400, "invalid-parameter");
        assert_eq!(problem["instance"], path.split('?').next().unwrap());
    }
}
