//! Operators see and change the weights and quotas of callers.
use aftercall::callers::{self, KeyTerms, Scope};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{OPERATOR, Operator};
use crate::support::app::TestApp;

const PATH: &str = "/v1/admin/callers";

async fn listed(operator: &Operator<'_>, name: &str) -> Value {
    let page = operator.get(PATH).await.json();
    let rows = page["data"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn limits_are_shown_with_what_is_used_and_changed_one_by_one() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    for _ in 0..3 {
        app.submit().await;
    }
    assert_eq!(app.dispatcher.drain().await, 3);
    let before = listed(&operator, "app").await;
    let used = json!({ "weight": 1, "dailyQuota": null, "dailyUsed": 3, "monthlyQuota": null, "monthlyUsed": 3 });
    for (name, value) in used.as_object().unwrap() {
        assert_eq!(&before[name], value, "{name}");
    }
    assert!(before["lastSubmittedAt"].is_string());
    let resets = "select to_jsonb(array[date_trunc('day', now(), 'UTC') + interval '1 day',
        date_trunc('month', now(), 'UTC') + interval '1 month'])";
    let resets: Value = sqlx::query_scalar(resets).fetch_one(&app.db.pool).await.unwrap();
    for (said, at) in ["dailyResetsAt", "monthlyResetsAt"].iter().zip(resets.as_array().unwrap()) {
        let [said, at] = [&before[*said], at].map(|it| it.as_str().unwrap()[..16].to_owned());
        assert_eq!(said, at);
    }

    let path = format!("{PATH}/app");
    let set = json!({ "weight": 5, "dailyQuota": 4, "monthlyQuota": 1_000_000_000 });
    let changed = operator.send("PATCH", &path, &set).await;
    assert_eq!(changed.status, StatusCode::OK);
    for (name, value) in set.as_object().unwrap() {
        assert_eq!(&changed.json()[name], value, "{name}");
    }
    assert_eq!(listed(&operator, "app").await, changed.json());
    for _ in 0..3 {
        app.submit().await;
    }
    assert_eq!(app.dispatcher.drain().await, 1);
    let changed = operator.send("PATCH", &path, &json!({ "dailyQuota": null })).await.json();
    assert_eq!((&changed["dailyQuota"], &changed["weight"]), (&Value::Null, &json!(5)));
    assert_eq!(app.dispatcher.drain().await, 2);
}

#[tokio::test]
async fn all_faults_of_a_change_are_named_and_nothing_changes() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let wrong = json!({ "weight": 0, "dailyQuota": "many", "monthlyQuota": 1.5, "weigth": 2 });
    let answer = operator.send("PATCH", &format!("{PATH}/app"), &wrong).await;
    let problem = answer.problem(422, "validation-failed");
    let faults = problem["errors"].as_array().unwrap().iter();
    let faults: Vec<_> =
        faults.map(|it| format!("{} {}", it["pointer"], it["code"]).replace('"', "")).collect();
    let expected =
        ["#/weight range", "#/dailyQuota type", "#/monthlyQuota range", "#/weigth unknown"];
    assert_eq!(faults, expected);
    assert!(problem["errors"][3]["detail"].as_str().unwrap().contains("weight?"), "{problem}");
    operator
        .send("PATCH", &format!("{PATH}/app"), &json!(null))
        .await
        .problem(422, "validation-failed");
    operator
        .send("PATCH", &format!("{PATH}/app"), &json!({ "weight": null }))
        .await
        .problem(422, "validation-failed");
    assert_eq!(listed(&operator, "app").await["weight"], 1);
    let good = json!({ "weight": 2 });
    operator.send("PATCH", &format!("{PATH}/nobody"), &good).await.problem(404, "caller-not-found");
    let reader = Operator::new(&app, &[Scope::AdminRead]).await;
    reader.send("PATCH", &format!("{PATH}/app"), &good).await.problem(403, "missing-scope");
}

#[tokio::test]
async fn the_list_has_pages() {
    let app = TestApp::start().await;
    for name in ["b", "c", "d"] {
        callers::create(&app.db.pool, name, "test", KeyTerms::default()).await.unwrap();
    }
    let operator = Operator::new(&app, OPERATOR).await;
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = operator.get(&format!("{PATH}?limit=2{cursor}")).await.json();
        names.extend(page["data"].as_array().unwrap().iter().map(|row| row["name"].clone()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["app", "b", "c", "d", "operator"]);
    operator.get(&format!("{PATH}?cursor=AAAA")).await.problem(400, "cursor-mismatch");
}
