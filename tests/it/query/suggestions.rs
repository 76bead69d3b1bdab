//! Values that are suggested for filters.
use aftercall::{
    callers::{self, KeyTerms},
    stats,
};
use axum::{
    body::Body,
    http::{Request, header},
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::{
    answer::Answer,
    app::{RECORDING, TestApp},
};

async fn submit(app: &TestApp, external_id: &str, tags: &[&str]) {
    let body = json!({
        "contentUri": RECORDING, "encoding": "Wav", "externalId": external_id, "tags": tags,
    });
    assert_eq!(app.post("/v1/jobs", &body).await.status, 202);
}

/// Each value with its number of jobs.
async fn suggested(app: &TestApp, query: &str) -> Vec<(String, Value)> {
    let found = app.get(&format!("/v1/suggestions?{query}")).await.json();
    let found = found["data"].as_array().unwrap_or_else(|| panic!("{query}: {found}")).iter();
    found.map(|it| (it["value"].as_str().unwrap().to_owned(), it["jobs"].clone())).collect()
}

async fn values(app: &TestApp, query: &str) -> Vec<String> {
    suggested(app, query).await.into_iter().map(|(value, _)| value).collect()
}

#[tokio::test]
async fn tags_and_external_ids_are_found_by_how_they_begin() {
    let app = TestApp::start().await;
    for (external_id, tags) in [
        ("call-1", &["support", "Süd"][..]),
        ("call-2", &["support", "supply", "sup port"]),
        ("call-2", &["support%", "suq", "su"]),
        ("Call-3", &["sup\u{10ffff}x", "a"]),
    ] {
        submit(&app, external_id, tags).await;
    }
    let found = suggested(&app, "field=tag&q=sup").await;
    let expected =
        [("sup port", 1), ("supply", 1), ("support", 2), ("support%", 1), ("sup\u{10ffff}x", 1)];
    let expected = expected.map(|(value, jobs)| (value.to_owned(), json!(jobs)));
    assert_eq!(found, expected);
    assert_eq!(values(&app, "field=tag&q=support%25").await, ["support%"]);
    assert_eq!(values(&app, "field=tag&q=S").await, ["Süd"]);
    assert_eq!(values(&app, "field=tag&limit=2").await, ["Süd", "a"]);
    assert_eq!(values(&app, "field=tag&q=sup%F4%8F%BF%BF").await, ["sup\u{10ffff}x"]);
    assert!(values(&app, "field=tag&q=%F4%8F%BF%BF").await.is_empty());
    let found = suggested(&app, "field=externalId&q=call-").await;
    assert_eq!(found, [("call-1".to_owned(), json!(1)), ("call-2".to_owned(), json!(2))]);
}

#[tokio::test]
async fn many_jobs_of_one_value_are_not_counted() {
    let app = TestApp::start().await;
    submit(&app, "call-1", &["few", "many"]).await;
    let more = "insert into aftercall.job_tags
        select caller_id, 'many', gen_random_uuid() from aftercall.jobs, generate_series(1, 1000)";
    sqlx::query(more).execute(&app.db.pool).await.unwrap();
    let found = suggested(&app, "field=tag").await;
    assert_eq!(found, [("few".to_owned(), json!(1)), ("many".to_owned(), Value::Null)]);
    let fewer = "delete from aftercall.job_tags where job_id =
        (select job_id from aftercall.job_tags where tag = 'many' limit 1)";
    sqlx::query(fewer).execute(&app.db.pool).await.unwrap();
    let found = suggested(&app, "field=tag&q=m").await;
    assert_eq!(found, [("many".to_owned(), json!(1000))]);
}

/// A result with utterances of these emotions, and an insight that is too long for the statistics.
fn result(emotions: &[&str]) -> String {
    let said = emotions.iter().enumerate().map(|(n, emotion)| {
        json!({
            "start": n, "end": n + 1, "text": "yes", "speakerId": "0",
            "insights": [{ "name": "Emotion", "value": emotion }],
        })
    });
    let summary = "A customer called about a parcel. ".repeat(10);
    let response = json!({
        "utteranceInsights": said.collect::<Vec<_>>(),
        "conversationalInsights": [
            { "name": "Topics", "values": [{ "value": "parcels" }] },
            { "name": "AbstractiveSummaryLong", "values": [{ "value": summary }] },
        ],
    });
    json!({ "status": "Success", "response": response }).to_string()
}

#[tokio::test]
async fn emotions_insights_and_languages_are_those_of_ended_jobs() {
    let app = TestApp::start().await;
    for (language, emotions) in [
        ("en-US", &["Joy", "Anger", "Joy"][..]),
        ("en-GB", &["Joy"]),
        ("en-US", &["Gratitude", "Joy"]),
    ] {
        let body = json!({ "contentUri": RECORDING, "encoding": "Wav", "languageCode": language });
        let id = app.post("/v1/jobs", &body).await.id();
        let job = app.dispatched(id).await;
        assert_eq!(app.deliver(&job.webhook, result(emotions)).await.status, 200);
    }
    stats::merge(&app.db.pool, 100).await.unwrap();
    let pair = |value: &str, jobs: i32| (value.to_owned(), json!(jobs));
    let emotions = suggested(&app, "field=emotion").await;
    assert_eq!(emotions, [pair("Joy", 3), pair("Anger", 1), pair("Gratitude", 1)]);
    assert_eq!(suggested(&app, "field=emotion&q=An").await, [pair("Anger", 1)]);
    let languages = suggested(&app, "field=language&q=en-").await;
    assert_eq!(languages, [pair("en-US", 2), pair("en-GB", 1)]);
    assert_eq!(suggested(&app, "field=language&q=en-G").await, [pair("en-GB", 1)]);
    let insights = suggested(&app, "field=insight").await;
    let uncounted = |value: &str| (value.to_owned(), Value::Null);
    assert_eq!(insights, [uncounted("AbstractiveSummaryLong"), uncounted("Topics")]);
    assert_eq!(values(&app, "field=insight&q=T").await, ["Topics"]);
}

#[tokio::test]
async fn values_of_other_callers_are_not_suggested() {
    let app = TestApp::start().await;
    let job = app.submitted_as("call-1").await;
    app.deliver(&job.webhook, result(&["Joy"])).await;
    submit(&app, "call-2", &["secret"]).await;
    stats::merge(&app.db.pool, 100).await.unwrap();
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    for field in ["tag", "externalId", "emotion", "insight", "language"] {
        let path = format!("/v1/suggestions?field={field}");
        let bearer = format!("Bearer {}", other.text.expose_secret());
        let request = Request::get(&path).header(header::AUTHORIZATION, bearer);
        let answer = Answer::of(&app.api, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.json(), json!({ "data": [] }), "{field}");
        if field != "language" {
            assert!(!app.get(&path).await.json()["data"].as_array().unwrap().is_empty(), "{field}");
        }
    }
}

#[tokio::test]
async fn what_to_suggest_must_be_named() {
    let app = TestApp::start().await;
    for query in ["", "?field=caller", "?field=tag&limit=0", "?field=tag&q=", "?field=tag&q=%00"] {
        let answer = app.get(&format!("/v1/suggestions{query}")).await;
        answer.problem(400, "invalid-parameter");
    }
}
