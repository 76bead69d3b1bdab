//! How many jobs are in each state.
use aftercall::{
    callers::{self, CallerId, KeyTerms},
    jobs::{self, JobFilter, State},
};
use serde_json::{Value, json};

use crate::support::{
    app::{RECORDING, TestApp},
    fixture,
    seed::seed,
};

const PATH: &str = "/v1/jobs/counts";

async fn counts(app: &TestApp, query: &str) -> Value {
    app.get(&format!("{PATH}{query}")).await.json()
}

/// The counts of the states that are not 0.
fn occurring(counts: &Value) -> Value {
    let mut data = counts["data"].as_object().unwrap().clone();
    assert_eq!(data.len(), 7, "{counts}");
    data.retain(|_, count| *count != 0);
    data.into()
}

#[tokio::test]
async fn each_state_has_its_count_and_filters_apply() {
    let app = TestApp::start().await;
    assert_eq!(occurring(&counts(&app, "").await), json!({}));
    let completed = app.submitted_as("call-1").await;
    app.deliver(&completed.webhook, fixture("seed/success.json")).await;
    let failed = app.submitted().await;
    let fail = json!({ "status": "Fail", "response": { "errors": [] } });
    app.deliver(&failed.webhook, fail.to_string()).await;
    let canceled = app.submit().await;
    app.post(&format!("/v1/jobs/{canceled}/cancel"), &json!({})).await;
    app.submitted().await;
    let tagged = json!({ "contentUri": RECORDING, "encoding": "Wav", "tags": ["a"] });
    for _ in 0..2 {
        app.post("/v1/jobs", &tagged).await;
    }
    callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    seed(&app.db.pool, "other", 10, 1).await;

    let all = counts(&app, "").await;
    assert_eq!(all["isComplete"], true);
    let expected =
        json!({ "queued": 2, "submitted": 1, "completed": 1, "failed": 1, "canceled": 1 });
    assert_eq!(occurring(&all), expected);
    assert_eq!(occurring(&counts(&app, "?tag=a").await), json!({ "queued": 2 }));
    assert_eq!(occurring(&counts(&app, "?externalId=call-1").await), json!({ "completed": 1 }));
    assert_eq!(occurring(&counts(&app, "?minSpeakers=1").await), json!({ "completed": 1 }));
    let of_the_future = "?createdAfter=2100-01-01T00:00:00Z";
    assert_eq!(occurring(&counts(&app, of_the_future).await), json!({}));
}

#[tokio::test]
async fn the_state_is_no_filter_of_them() {
    let app = TestApp::start().await;
    let problem = app.get(&format!("{PATH}?status=queued&limit=1")).await;
    let problem = problem.problem(400, "invalid-parameter");
    let faults = problem["errors"].as_array().unwrap().iter();
    let faults: Vec<_> = faults.map(|fault| (&fault["parameter"], &fault["code"])).collect();
    let unknown = json!("unknown");
    assert_eq!(faults, [(&json!("status"), &unknown), (&json!("limit"), &unknown)]);
}

#[tokio::test]
async fn counting_stops_at_the_newest() {
    let app = TestApp::start().await;
    seed(&app.db.pool, "app", 50, 0).await;
    let caller_id: CallerId =
        sqlx::query_scalar("select id from aftercall.callers where name = 'app'")
            .fetch_one(&app.db.pool)
            .await
            .unwrap();
    let mut statement = jobs::counting(caller_id, &JobFilter::default(), 4);
    let counted = statement.build_query_as::<(State, i64)>();
    let mut counted = counted.fetch_all(&app.db.pool).await.unwrap();
    counted.sort_by_key(|(state, _)| state.name());
    assert_eq!(counted, [(State::Completed, 4), (State::Failed, 2), (State::Queued, 2)]);
}

#[tokio::test]
async fn more_jobs_than_are_counted_are_said_to_be_more() {
    let app = TestApp::start().await;
    let most = i32::try_from(jobs::MOST_COUNTED).unwrap();
    seed(&app.db.pool, "app", most / 8 * 10 - 10, 0).await;
    assert_eq!(counts(&app, "").await["isComplete"], true);
    seed(&app.db.pool, "app", 20, 0).await;
    let all = counts(&app, "").await;
    assert_eq!(all["isComplete"], false, "{all}");
    assert_eq!(all["data"]["completed"], most, "{all}");
}
