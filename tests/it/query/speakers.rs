//! Callers name the speakers of their results.
use aftercall::{
    admin::reparse,
    callers::{self, KeyTerms},
    config,
    insights::Outdated,
};
use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{completed, part};
use crate::support::{
    answer::Answer,
    app::{TestApp, seal},
};

async fn put(app: &TestApp, id: Uuid, names: &Value) -> Answer {
    let request = app.request("PUT", &format!("/v1/jobs/{id}/speakers"));
    app.send(request, names.to_string()).await
}

fn names(speakers: &Value) -> Vec<Value> {
    speakers["data"].as_array().unwrap().iter().map(|it| it["speaker"].clone()).collect()
}

#[tokio::test]
async fn names_show_wherever_the_speakers_do() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let before = part(&app, id, "result").await;
    let answer = put(&app, id, &json!({ "0": "Rachel", "1": "Tom" })).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert_eq!(answer.json(), part(&app, id, "speakers").await);
    assert_eq!(names(&answer.json()), ["Rachel", "Tom"]);
    let utterances = part(&app, id, "utterances").await;
    assert_eq!(names(&utterances), ["Rachel", "Tom", "Rachel"]);
    let transcript = part(&app, id, "transcript").await;
    assert_eq!(transcript["utterances"][1]["speaker"], "Tom");
    let text = app.get(&format!("/v1/jobs/{id}/transcript?format=txt")).await;
    assert!(String::from_utf8_lossy(&text.body).starts_with("Rachel: Thank you"));
    assert_eq!(part(&app, id, "result").await, before);
}

#[tokio::test]
async fn a_locked_job_does_not_make_other_callers_wait() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let mut held = app.db.pool.begin().await.unwrap();
    let lock = sqlx::query("select from aftercall.jobs where id = $1 for update").bind(id);
    lock.execute(&mut *held).await.unwrap();
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await;
    let bearer = format!("Bearer {}", other.unwrap().text.expose_secret());
    let mut request = app.request("PUT", &format!("/v1/jobs/{id}/speakers"));
    request.headers_mut().unwrap().insert("authorization", bearer.parse().unwrap());
    let answer = app.send(request, json!({ "0": "Rachel" }).to_string()).await;
    answer.problem(404, "job-not-found");
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn an_insight_of_a_speaker_has_the_name() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let body = json!({ "status": "Success", "response": {
        "utteranceInsights": [{ "start": 0, "end": 1, "text": "a", "speakerId": "7" }],
        "conversationalInsights": [{ "name": "Tasks", "values": [
            { "value": "a", "speakerId": "7" }, { "value": "b", "speakerId": "8" }, { "value": "c" },
        ]}],
    }});
    app.deliver(&job.webhook, body.to_string()).await;
    assert_eq!(put(&app, job.id, &json!({ "7": "Zoë" })).await.status, StatusCode::OK);
    let tasks = part(&app, job.id, "insights").await;
    assert_eq!(names(&tasks), [json!("Zoë"), Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_map_takes_the_place_of_the_one_before() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let version = async || app.job(id).await["version"].as_i64().unwrap();
    let first = version().await;
    for (map, expected, bumps) in [
        (json!({ "0": "Rachel" }), json!(["Rachel", null]), 1),
        (json!({ "0": "Rachel" }), json!(["Rachel", null]), 1),
        (json!({ "1": "Tom" }), json!([null, "Tom"]), 2),
        (json!({ "0": "é", "1": "Tom" }), json!(["é", "Tom"]), 3),
        (json!({}), json!([null, null]), 4),
        (json!({}), json!([null, null]), 4),
    ] {
        let answer = put(&app, id, &map).await;
        assert_eq!(json!(names(&answer.json())), expected);
        assert_eq!(version().await - first, bumps, "{map}");
        assert_eq!(answer.header("etag"), format!("W/\"{}\"", version().await));
    }
    assert_eq!(app.timeline(id).await.iter().filter(|kind| *kind == "speakers_named").count(), 4);
    assert_eq!(app.last_event(id).await, json!({ "speakerIds": [] }));
}

#[tokio::test]
async fn names_that_are_none_are_refused_all_at_once() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    put(&app, id, &json!({ "0": "Rachel" })).await;
    let longest = "ö".repeat(200);
    let wrong = json!({
        "0": "", "1": format!("{longest}o"), "2": "Tom", "a/b": "Tom", "": 1,
    });
    let expected = ["#/0 length", "#/1 length", "#/2 unknown", "#/a~1b unknown", "#/ unknown"];
    let answer = put(&app, id, &wrong).await;
    assert_eq!(answer.faults(), expected);
    assert_eq!(
        answer.json()["errors"][2]["detail"],
        "is not a speaker of this result; known are: 0, 1"
    );
    for (wrong, expected) in [
        (json!({ "0": 1 }), "#/0 type"),
        (json!({ "0": null }), "#/0 type"),
        (json!({ "0": "a\u{0}b" }), "#/0 nul"),
        (json!({ "0": "a\nb" }), "#/0 format"),
        (json!({ "0": " \u{a0} " }), "#/0 format"),
        (json!({ "\u{0}": "a" }), "#/\u{fffd} unknown"),
        (json!([]), "# type"),
    ] {
        assert_eq!(put(&app, id, &wrong).await.faults(), [expected], "{wrong}");
    }
    assert_eq!(names(&part(&app, id, "speakers").await), [json!("Rachel"), Value::Null]);
    assert_eq!(put(&app, id, &json!({ "1": longest })).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_version_that_is_not_the_last_changes_nothing() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let path = format!("/v1/jobs/{id}/speakers");
    let etag = app.get(&path).await.header("etag").to_owned();
    assert_eq!(etag, app.get(&format!("/v1/jobs/{id}")).await.header("etag"));
    let put_if = async |tag: &str, name: &str| {
        let request = app.request("PUT", &path).header("if-match", tag);
        app.send(request, json!({ "0": name }).to_string()).await
    };
    assert_eq!(put_if(&etag, "Rachel").await.status, StatusCode::OK);
    let problem = put_if(&etag, "Tom").await.problem(412, "precondition-failed");
    let now = app.get(&path).await.header("etag").to_owned();
    assert!(problem["detail"].as_str().unwrap().contains(&now), "{problem}");
    assert_eq!(names(&part(&app, id, "speakers").await)[0], "Rachel");
    for fitting in [now.as_str(), "*"] {
        assert_eq!(put_if(fitting, "Rachel").await.status, StatusCode::OK);
    }
    let strong = now.strip_prefix("W/").unwrap();
    assert_eq!(put_if(&format!("\"x\", {strong}"), "Zoë").await.status, StatusCode::OK);
    put_if("", "Tom").await.problem(412, "precondition-failed");
    let unchanged = app.request("GET", &path).header("if-none-match", &now);
    assert_eq!(app.ask(unchanged).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_result_that_is_made_anew_keeps_the_names() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    put(&app, id, &json!({ "0": "Rachel" })).await;
    app.about(id, "update aftercall.results set parser_version = 0 where job_id = $1").await;
    let which = Outdated { below: 1, ..Default::default() };
    let limits = config::load(None).unwrap().settings.text_limits();
    let summary = reparse::run(&app.db.pool, &seal(), &which, limits).await.unwrap();
    assert_eq!(summary.reparsed, 1);
    assert_eq!(app.timeline(id).await.last().unwrap(), "reparsed");
    assert_eq!(names(&part(&app, id, "speakers").await), [json!("Rachel"), Value::Null]);
}

#[tokio::test]
async fn only_the_caller_of_a_job_with_a_result_names_its_speakers() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let map = json!({ "0": "Rachel" });
    put(&app, Uuid::now_v7(), &map).await.problem(404, "job-not-found");
    let waiting = app.submit().await;
    put(&app, waiting, &map).await.problem(404, "result-not-available");
    let request = app.request("PUT", &format!("/v1/jobs/{id}/speakers?x=1"));
    app.send(request, map.to_string()).await.problem(400, "invalid-parameter");
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    let bearer = format!("Bearer {}", other.text.expose_secret());
    let as_other = |method: &str, part: &str| {
        let mut request = app.request(method, &format!("/v1/jobs/{id}/{part}"));
        request.headers_mut().unwrap().insert("authorization", bearer.parse().unwrap());
        request
    };
    app.send(as_other("PUT", "speakers"), map.to_string()).await.problem(404, "job-not-found");
    for part in ["speakers", "utterances", "insights", "transcript", "transcript?format=vtt"] {
        app.ask(as_other("GET", part)).await.problem(404, "job-not-found");
    }
    assert_eq!(names(&part(&app, id, "speakers").await), [Value::Null, Value::Null]);
}
