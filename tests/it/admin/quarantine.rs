//! Listing and showing deliveries, above all those in quarantine.
use std::io::Write as _;

use axum::http::{Request, header};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use uuid::Uuid;
use wiremock::ResponseTemplate;

use super::{OPERATOR, Operator, ids};
use crate::support::{answer::Answer, app::TestApp, fixture};

#[tokio::test]
async fn deliveries_of_all_callers_are_listed_newest_first() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    let (first, second) = (app.submitted().await, app.submitted().await);
    for (job, body) in [(&second, "{"), (&first, "{"), (&second, &fixture("seed/success.json"))] {
        app.deliver(&job.webhook, body.to_owned()).await;
    }
    let all = reader.get("/v1/admin/deliveries").await.json();
    let newest = json!({
        "id": all["data"][0]["id"], "jobId": second.id, "caller": "app", "attempt": 1,
        "via": "webhook", "outcome": "accepted", "reason": null,
        "quarantined": false, "replayOf": null,
        "headers": { "content-type": "application/json" },
        "bodyBytes": fixture("seed/success.json").len(),
        "bodySha256": all["data"][0]["bodySha256"], "receivedAt": all["data"][0]["receivedAt"],
    });
    assert_eq!(all["data"][0], newest);
    assert_eq!(all["data"][0]["bodySha256"].as_str().unwrap().len(), 64);
    let ids_of_all = ids(&all);
    for (query, expected) in [
        ("?outcome=malformed".to_owned(), &ids_of_all[1..]),
        ("?outcome=accepted&outcome=late".to_owned(), &ids_of_all[..1]),
        (format!("?jobId={}", first.id), &ids_of_all[1..2]),
        ("?limit=2".to_owned(), &ids_of_all[..2]),
    ] {
        let page = reader.get(&format!("/v1/admin/deliveries{query}")).await.json();
        assert_eq!(ids(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn a_walk_sees_each_delivery_once_and_its_cursor_fits_its_filter_only() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    for i in 0..5 {
        app.deliver(&job.webhook, format!("{{{i}")).await;
    }
    let all = ids(&reader.get("/v1/admin/deliveries").await.json());
    let mut seen = Vec::new();
    let mut query = "outcome=malformed&limit=2".to_owned();
    loop {
        let page = reader.get(&format!("/v1/admin/deliveries?{query}")).await.json();
        seen.extend(ids(&page));
        app.deliver(&job.webhook, format!("[{}", seen.len())).await;
        assert_eq!(page["hasMore"], page["nextCursor"].is_string());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        for other in ["", "outcome=late&", "outcome=malformed&quarantined=true&"] {
            let path = format!("/v1/admin/deliveries?{other}cursor={cursor}");
            reader.get(&path).await.problem(400, "cursor-mismatch");
        }
        query = format!("outcome=malformed&limit=2&cursor={cursor}");
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn deliveries_are_listed_by_when_they_came() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    for body in ["{1", "{2", "{3"] {
        app.deliver(&job.webhook, body).await;
    }
    let page = reader.get("/v1/admin/deliveries").await.json();
    let (all, at) = (ids(&page), |i: usize| page["data"][i]["receivedAt"].as_str().unwrap());
    for (query, expected) in [
        (format!("receivedAfter={}", at(1)), &all[..2]),
        (format!("receivedBefore={}", at(1)), &all[2..]),
        (format!("receivedAfter={}&receivedBefore={}", at(1), at(0)), &all[1..2]),
        ("receivedAfter=1969-01-01T00:00:00Z&receivedBefore=9999-12-31T00:00:00Z".into(), &all[..]),
        ("receivedBefore=1969-01-01T00:00:00Z".to_owned(), &[]),
    ] {
        let page = reader.get(&format!("/v1/admin/deliveries?{query}")).await.json();
        assert_eq!(ids(&page), expected, "{query}");
    }
    for wrong in ["receivedAfter=yesterday", "outcome=lost", "limit=201", "state=x", "jobId=1"] {
        let path = format!("/v1/admin/deliveries?{wrong}");
        reader.get(&path).await.problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn what_could_not_be_read_is_kept_shown_and_asked_for_again() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    let damaged = [b"{\"status\": \"Succ\xff\x00".to_vec(), fixture("seed/failure.json").into()];
    let damaged = damaged.concat();
    app.deliver(&job.webhook, damaged.clone()).await;
    app.deliver(&job.webhook, damaged.clone()).await;

    let page = reader.get("/v1/admin/deliveries?quarantined=true").await.json();
    let [id] = ids(&page)[..] else { panic!("{page:#}") };
    let path = format!("/v1/admin/deliveries/{id}");
    assert_eq!(reader.get(&path).await.json(), page["data"][0]);
    assert_eq!(page["data"][0]["outcome"], "malformed");
    assert!(
        page["data"][0]["reason"].as_str().unwrap().starts_with("the body is not JSON at byte")
    );
    let body = reader.get(&format!("{path}/body")).await;
    assert_eq!(body.body, damaged);
    assert_eq!(body.header("content-type"), "application/json");
    assert_eq!(body.header("cache-control"), "private, no-store");
    assert_eq!(body.header("x-content-type-options"), "nosniff");
    // The second delivery was stored without its bytes, which equal those of the first.
    let others = ids(&reader.get("/v1/admin/deliveries?quarantined=false").await.json());
    let body = reader.get(&format!("/v1/admin/deliveries/{}/body", others[0])).await;
    assert_eq!((others.len(), body.body), (1, damaged.into()));

    let good = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    app.answer_polls(ResponseTemplate::new(200).set_body_string(good)).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(job.id).await["completedVia"], "poll");
}

#[tokio::test]
async fn bytes_are_shown_as_they_came_and_never_as_something_that_runs() {
    let app = TestApp::start().await;
    let reader = Operator::new(&app, OPERATOR).await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(fixture("seed/success.json").as_bytes()).unwrap();
    let zipped = encoder.finish().unwrap();
    let json = "application/json; charset=utf-8";
    for (kind, encoding, body, shown) in [
        (
            "text/html",
            "identity",
            b"<script>alert(1)</script>".to_vec(),
            "application/octet-stream",
        ),
        (json, "gzip", zipped, "application/octet-stream"),
        (json, "identity", b"{}".to_vec(), "application/json"),
    ] {
        let job = app.submitted().await;
        let request = Request::post(&job.webhook).header(header::CONTENT_TYPE, kind);
        let request = request.header(header::CONTENT_ENCODING, encoding);
        Answer::of(&app.webhook, request.body(body.clone().into()).unwrap()).await;
        let path = format!("/v1/admin/deliveries?jobId={}", job.id);
        let page = reader.get(&path).await.json();
        let headers = json!({ "content-type": kind, "content-encoding": encoding });
        assert_eq!(page["data"][0]["headers"], headers);
        let answer = reader.get(&format!("/v1/admin/deliveries/{}/body", ids(&page)[0])).await;
        assert_eq!(answer.body, body);
        assert_eq!(answer.header("content-type"), shown);
        assert!(!answer.headers.contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn an_unknown_delivery_is_not_found() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let path = format!("/v1/admin/deliveries/{}", Uuid::now_v7());
    operator.get(&path).await.problem(404, "delivery-not-found");
    operator.get(&format!("{path}/body")).await.problem(404, "delivery-not-found");
    let replay = operator.send("POST", &format!("{path}/replay"), &json!({})).await;
    replay.problem(404, "delivery-not-found");
    operator.get("/v1/admin/deliveries/42").await.problem(400, "invalid-parameter");
}
