//! What operators look at: the settings in use, what is stored, and whose a job is.
use std::time::Duration;

use aftercall::config;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{OPERATOR, Operator};
use crate::{retention::past, support::app::TestApp};

fn setting<'a>(view: &'a Value, name: &str) -> &'a Value {
    let all = view["data"].as_array().unwrap();
    all.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn every_setting_is_shown_with_its_source() {
    let app = TestApp::start().await;
    let view = Operator::new(&app, OPERATOR).await.get("/v1/admin/config").await.json();
    assert_eq!(view["environment"], "dev");
    let lease = json!({ "name": "dispatch.lease", "value": "2m", "source": "default" });
    assert_eq!(*setting(&view, "dispatch.lease"), lease);
    assert_eq!(setting(&view, "provider.jwt")["value"], "");
    let shown = config::load(None).unwrap().origins.into_keys();
    let listed = view["data"].as_array().unwrap().iter();
    assert!(listed.map(|it| it["name"].as_str().unwrap()).eq(shown));
}

#[tokio::test]
async fn what_is_stored_is_shown_with_when_it_goes_and_what_is_due() {
    let app = TestApp::with(|settings| {
        settings.retention = past::settings(|it| it.results = Some(Duration::from_hours(90 * 24)));
    })
    .await;
    past::completed(&app, 3 * 365).await;
    past::completed(&app, 10).await;
    let view = Operator::new(&app, OPERATOR).await.get("/v1/admin/storage").await.json();
    let months = view["partitions"].as_array().unwrap();
    let of = |table: &str| months.iter().find(|it| it["table"] == table).unwrap();
    assert!(of("utterances")["bytes"].as_i64().unwrap() > 0, "{view}");
    assert!(of("utterances")["goesAt"].is_string(), "{view}");
    assert_eq!(of("deliveries")["goesAt"], Value::Null);
    let ages = view["ages"].as_array().unwrap();
    assert!(ages.contains(&json!({ "kind": "results", "seconds": 7_776_000 })), "{view}");
    assert!(ages.contains(&json!({ "kind": "jobs", "seconds": null })), "{view}");
    assert_eq!(view["next"]["rows"]["utterances"], 3, "{view}");
    let dropped = view["next"]["partitions"].as_array().unwrap();
    assert!(dropped.iter().any(|it| it["name"].as_str().unwrap().starts_with("results_y")));
}

#[tokio::test]
async fn counting_what_is_due_gives_up_in_time() {
    let app = TestApp::with(|settings| {
        settings.retention = past::settings(|it| it.results = Some(Duration::from_hours(90 * 24)));
    })
    .await;
    let mut lock = app.db.pool.begin().await.unwrap();
    sqlx::query("lock table only aftercall.questions in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let view = Operator::new(&app, OPERATOR).await.get("/v1/admin/storage").await;
    assert_eq!(view.status, 200, "{view:?}");
    assert_eq!(view.json()["next"], Value::Null);
}

#[tokio::test]
async fn whose_a_job_is_and_nothing_else_about_it_is_told() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let id = app.submit().await;
    let view = operator.get(&format!("/v1/admin/jobs/{id}")).await.json();
    assert_eq!(view, json!({ "id": id, "caller": "app", "state": "queued" }));
    let unknown = format!("/v1/admin/jobs/{}", Uuid::nil());
    operator.get(&unknown).await.problem(404, "job-not-found");
    operator.get("/v1/admin/jobs/42").await.problem(400, "invalid-parameter");
}
