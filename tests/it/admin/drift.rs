//! From unknown members in deliveries to the drift report that operators see.
use aftercall::{
    callers::Scope,
    drift::{Finding, Kind},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use wiremock::ResponseTemplate;

use super::Operator;
use crate::support::{
    app::{Submitted, TestApp},
    fixture, without,
};

/// Must not appear anywhere in the report.
const CANARY: &str = "canary 4711";

/// A success with an unknown insight, member, type and emotion.
fn novel() -> String {
    json!({
        "status": "Success",
        "traceId": CANARY,
        "response": {
            "utteranceInsights": [{
                "start": "0.5", "end": 1, "text": CANARY, "speakerId": "0",
                "insights": [{ "name": "Emotion", "value": CANARY }],
            }],
            "speakerInsights": { "insights": [
                { "name": "Mood", "values": [{ "speakerId": "0", "value": CANARY }] }] },
        },
    })
    .to_string()
}

/// The report, once everything has been written.
async fn shown(app: &TestApp) -> Vec<Value> {
    app.recorder.write().await;
    let reader = Operator::new(app, &[Scope::AdminRead]).await;
    let listed = reader.get("/v1/admin/drift").await.json();
    listed["data"].as_array().unwrap().clone()
}

/// Kind, name and deliveries, sorted.
async fn counted(app: &TestApp) -> Vec<(String, String, i64)> {
    let mut all: Vec<_> = shown(app)
        .await
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("kind"), text("name"), row["deliveries"].as_i64().unwrap())
        })
        .collect();
    all.sort();
    all
}

async fn deliver(app: &TestApp, job: &Submitted, body: &str) {
    let answer = app.deliver(&job.webhook, body.to_owned()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_is_new_in_deliveries_is_counted_and_shown_without_its_values() {
    let app = TestApp::start().await;
    let (first, second) = (app.submitted().await, app.submitted().await);
    deliver(&app, &first, &fixture("seed/success.json")).await;
    assert_eq!(shown(&app).await, [Value::Null; 0]);
    deliver(&app, &first, &novel()).await;
    let expected = [
        ("unexpected_type", "string", 1),
        ("unknown_insight", "Mood", 1),
        ("unknown_member", "traceId", 1),
        ("unknown_value", "", 1),
    ]
    .map(|(kind, name, deliveries)| (kind.to_owned(), name.to_owned(), deliveries));
    assert_eq!(counted(&app).await, expected);

    deliver(&app, &second, &novel()).await;
    deliver(&app, &second, &novel()).await; // a duplicate
    deliver(&app, &second, r#"{"status": "Success", "response": {}, "region": 1}"#).await;
    let all = shown(&app).await;
    let newest = json!({
        "kind": "unknown_member", "path": "", "name": "region", "sample": "number",
        "deliveries": 1, "firstSeen": "…", "lastSeen": "…", "exampleJobId": second.id,
    });
    assert_eq!(without(all[0].clone(), &["/firstSeen", "/lastSeen"]), newest);
    let mood = all.iter().find(|row| row["name"] == "Mood").unwrap();
    assert_eq!(mood["path"], "/response/speakerInsights/insights/*");
    let sample =
        json!({ "name": "string", "values": [{ "speakerId": "string", "value": "string" }] });
    assert_eq!(mood["sample"], sample);
    assert_eq!((&mood["deliveries"], &mood["exampleJobId"]), (&json!(2), &json!(second.id)));
    assert!(mood["lastSeen"].as_str() > mood["firstSeen"].as_str());

    let stored: String =
        sqlx::query_scalar("select json_agg(d)::text from aftercall.contract_drift d")
            .fetch_one(&app.db.pool)
            .await
            .unwrap();
    for text in [stored, Value::from(all).to_string()] {
        assert!(text.contains("Mood") && !text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn polls_count_and_unknown_tokens_do_not() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let unknown_token = format!("/webhooks/{}", "A".repeat(64));
    app.deliver(&unknown_token, novel()).await;
    assert_eq!(shown(&app).await, [Value::Null; 0]);
    app.make_due(job.id).await;
    app.answer_polls(ResponseTemplate::new(200).set_body_string(novel())).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(job.id).await["state"], "completed");
    assert_eq!(counted(&app).await.len(), 4);

    let other = app.submitted().await;
    app.make_due(other.id).await;
    app.answer_polls(ResponseTemplate::new(200).set_body_string(r#"{"status": "Completed"}"#))
        .await;
    app.reconciler.round().await.unwrap();
    let rows = shown(&app).await;
    assert_eq!((&rows[0]["kind"], &rows[0]["path"]), (&json!("unknown_value"), &json!("/status")));
}

#[tokio::test]
async fn the_list_is_bounded_and_forgets_what_is_gone() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let rows = "insert into aftercall.contract_drift
            (kind, path, name, sample, deliveries, example_job_id)
        select 'unknown_member', '/n' || n, 'n', '\"number\"', 1, gen_random_uuid()
        from generate_series(1, 499) n";
    sqlx::query(rows).execute(&app.db.pool).await.unwrap();
    // Two members are new, but there is room for only one.
    let body = |more: &str| format!(r#"{{"status": "Fail", "first": 1, "second": 2{more}}}"#);
    for more in ["", ", \"third\": 3"] {
        deliver(&app, &job, &body(more)).await;
        app.recorder.write().await;
    }
    let count = |what: &str| {
        let query = format!(
            "select count(*), coalesce(sum(deliveries), 0)::bigint from aftercall.contract_drift where {what}"
        );
        sqlx::query_as::<_, (i64, i64)>(AssertSqlSafe(query)).fetch_one(&app.db.pool)
    };
    assert_eq!(count("name = 'first'").await.unwrap(), (1, 2));
    assert_eq!(count("name in ('second', 'third')").await.unwrap(), (0, 0));
    assert_eq!(count("kind = 'other'").await.unwrap(), (1, 3));
    assert_eq!(count("true").await.unwrap().0, 501);

    let age = "update aftercall.contract_drift set last_seen_at = now() - interval '91 days'
        where name = 'n'";
    sqlx::query(age).execute(&app.db.pool).await.unwrap();
    deliver(&app, &job, &body(", \"fourth\": 4")).await;
    let names: Vec<String> = counted(&app).await.into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["", "first", "fourth", "second"]);
}

#[tokio::test]
async fn a_finding_that_the_table_does_not_take_keeps_no_other_one_out() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let finding = |name: &str| Finding {
        kind: Kind::UnknownMember,
        path: "/response".to_owned(),
        name: name.to_owned(),
        sample: Value::Null,
    };
    // No name that is parsed from a delivery contains a NUL.
    app.reconciler
        .drift
        .note(job.id.into(), vec![finding("\0"), finding("mood"), finding("pulse")]);
    let seen = |name: &str| ("unknown_member".to_owned(), name.to_owned(), 1);
    assert_eq!(counted(&app).await, [seen("mood"), seen("pulse")]);
    // It is not retried forever.
    assert_eq!(counted(&app).await, [seen("mood"), seen("pulse")]);
}
