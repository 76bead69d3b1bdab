//! Stored deliveries are reparsed: singly, in bulk, concurrently, and during other changes.
use axum::http::{Request, StatusCode, header};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{OPERATOR, Operator, ids, once_unreadable};
use crate::support::{
    answer::Answer,
    app::{Submitted, TestApp},
    fixture,
};

fn success() -> String {
    fixture("seed/success.json")
}

/// A delivery whose provider job id is not the attempt's.
async fn mismatched(app: &TestApp, job: &Submitted) -> Uuid {
    let body = fixture("delivery-2023.json").replace("@jobId", "rc-other");
    app.deliver(&job.webhook, body).await;
    let query = "select id from aftercall.deliveries where job_id = $1 and outcome = 'mismatch'";
    sqlx::query_scalar(query).bind(job.id).fetch_one(&app.db.pool).await.unwrap()
}

impl Operator<'_> {
    async fn replay(&self, id: Uuid, body: Value) -> Value {
        let answer = self.send("POST", &format!("/v1/admin/deliveries/{id}/replay"), &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()
    }

    async fn replays(&self, body: Value) -> Value {
        let answer = self.send("POST", "/v1/admin/replays", &body).await;
        let is_dry = body["dryRun"] == true;
        let expected = if is_dry { StatusCode::OK } else { StatusCode::ACCEPTED };
        assert_eq!(answer.status, expected, "{answer:?}");
        answer.json()
    }

    async fn quarantined(&self) -> Vec<Uuid> {
        ids(&self.get("/v1/admin/deliveries?quarantined=true").await.json())
    }
}

#[tokio::test]
async fn what_a_better_parser_can_read_completes_the_job() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    let id = once_unreadable(&app, &job, &success()).await;
    assert_eq!(operator.quarantined().await, [id]);

    let done = operator.replay(id, json!({})).await;
    assert_eq!(done, json!({ "replayOf": id, "jobId": job.id, "outcome": "accepted" }));
    let view = app.job(job.id).await;
    assert_eq!((&view["state"], &view["completedVia"]), (&json!("completed"), &json!("replay")));
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    assert_eq!(result["utteranceInsights"][0]["start"], 2.52);
    let kinds = ["queued", "submitting", "submitted", "delivery", "completed", "replayed"];
    assert_eq!(app.timeline(job.id).await, kinds);
    let told = json!({ "delivery": id, "outcome": "accepted", "by": "operator" });
    assert_eq!(app.last_event(job.id).await, told);

    // The original is unchanged, and the replay is a delivery without its own bytes.
    assert!(operator.quarantined().await.is_empty());
    assert_eq!(app.delivery_outcomes(job.id).await, ["malformed", "accepted"]);
    let page = operator.get(&format!("/v1/admin/deliveries?jobId={}", job.id)).await.json();
    let replay = &page["data"][0];
    assert_eq!((&replay["via"], &replay["replayOf"]), (&json!("replay"), &json!(id)));
    assert_eq!(app.count("select count(*) from aftercall.deliveries where body is null").await, 1);
    let body = operator.get(&format!("/v1/admin/deliveries/{}/body", ids(&page)[0])).await;
    assert_eq!(body.body, success());

    // Replaying a replay replays the original.
    let again = operator.replay(ids(&page)[0], json!({})).await;
    assert_eq!((&again["replayOf"], &again["outcome"]), (&json!(id), &json!("superseded")));
}

#[tokio::test]
async fn a_replay_without_a_body_is_one_without_wishes() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    let id = once_unreadable(&app, &job, &fixture("seed/failure.json")).await;
    let path = format!("/v1/admin/deliveries/{id}/replay");
    let bare = Request::post(&path).header(header::AUTHORIZATION, &operator.bearer);
    let answer = Answer::of(&app.api, bare.body("".into()).unwrap()).await;
    assert_eq!(
        (answer.status, &answer.json()["outcome"]),
        (StatusCode::ACCEPTED, &json!("accepted"))
    );
    let view = app.job(job.id).await;
    assert_eq!((&view["state"], &view["error"]["code"]), (&json!("failed"), &json!("CAI-101")));
    for wrong in [json!({ "acceptMismatch": "yes" }), json!({ "force": true }), json!(7)] {
        operator.send("POST", &path, &wrong).await.problem(422, "validation-failed");
    }
}

#[tokio::test]
async fn what_still_cannot_be_read_stays_in_quarantine() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, "{").await;
    let [id] = operator.quarantined().await[..] else { panic!() };
    let due = "select count(*) from aftercall.jobs where due_at <= now()";
    assert_eq!(app.count(due).await, 1);
    app.about(job.id, "update aftercall.jobs set due_at = deadline_at where id = $1").await;
    assert_eq!(operator.replay(id, json!({})).await["outcome"], "malformed");
    assert_eq!(operator.quarantined().await, [id]);
    assert_eq!(app.job(job.id).await["state"], "submitted");
    assert_eq!(app.count(due).await, 0, "the provider need not be asked because of a replay");
}

#[tokio::test]
async fn a_mismatch_takes_somebody_who_says_so() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    let id = mismatched(&app, &job).await;
    for body in [json!({}), json!({ "acceptMismatch": false })] {
        assert_eq!(operator.replay(id, body).await["outcome"], "mismatch");
        assert_eq!(operator.quarantined().await, [id]);
    }
    let bulk = json!({ "filter": { "quarantined": true } });
    assert_eq!(operator.replays(bulk).await["outcomes"], json!({ "mismatch": 1 }));
    assert_eq!(app.job(job.id).await["state"], "submitted");
    let done = operator.replay(id, json!({ "acceptMismatch": true })).await;
    assert_eq!(done["outcome"], "accepted");
    assert_eq!(app.job(job.id).await["state"], "completed");
    assert!(operator.quarantined().await.is_empty());
}

#[tokio::test]
async fn many_are_replayed_page_by_page_and_counted_before() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let mut jobs = Vec::new();
    for _ in 0..4 {
        let job = app.submitted().await;
        once_unreadable(&app, &job, &success()).await;
        jobs.push(job);
    }
    app.deliver(&jobs[0].webhook, "[").await;
    mismatched(&app, &jobs[1]).await;
    let rows = "select count(*) from aftercall.deliveries";
    let before = app.count(rows).await;
    for (filter, matched) in [
        (json!({}), 6),
        (json!({ "outcome": ["malformed"] }), 5),
        (json!({ "outcome": ["malformed", "mismatch"], "quarantined": false }), 0),
        (json!({ "jobId": jobs[1].id }), 2),
        (json!({ "receivedBefore": "2020-01-01T00:00:00Z" }), 0),
    ] {
        let counted = operator.replays(json!({ "filter": filter, "dryRun": true })).await;
        assert_eq!(counted, json!({ "matched": matched }));
    }
    assert_eq!(app.count(rows).await, before);
    assert_eq!(app.count("select count(*) from aftercall.results").await, 0);

    let mut outcomes = Vec::new();
    let mut filter = json!({ "quarantined": true, "limit": 4 });
    loop {
        let done = operator.replays(json!({ "filter": filter })).await;
        assert_eq!(done["hasMore"], done["nextCursor"].is_string());
        assert_eq!(done["failed"], 0);
        outcomes.push(done["outcomes"].clone());
        let Some(cursor) = done["nextCursor"].as_str() else { break };
        filter["cursor"] = cursor.into();
    }
    let expected =
        [json!({ "accepted": 2, "malformed": 1, "mismatch": 1 }), json!({ "accepted": 2 })];
    assert_eq!(outcomes, expected);
    for job in &jobs {
        assert_eq!(app.job(job.id).await["completedVia"], "replay");
        app.timeline(job.id).await;
    }
    // Replays are not themselves replayed.
    let all = operator.replays(json!({ "filter": {}, "dryRun": true })).await;
    assert_eq!(all, json!({ "matched": 6 }));
}

#[tokio::test]
async fn a_delivery_that_postgres_refuses_spoils_nothing_but_itself() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let job = app.submitted().await;
        once_unreadable(&app, &job, &success()).await;
        jobs.push(job);
    }
    // A constraint added by a later version, which this version does not know.
    let rule = format!(
        "alter table aftercall.results add constraint no_luck check (job_id <> '{}')",
        jobs[1].id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rule)).execute(&app.db.pool).await.unwrap();
    let done = operator.replays(json!({ "filter": { "quarantined": true } })).await;
    assert_eq!((&done["outcomes"], &done["failed"]), (&json!({ "accepted": 2 }), &json!(1)));
    assert_eq!(app.job(jobs[1].id).await["state"], "submitted");
    assert_eq!(operator.quarantined().await.len(), 1);
}

#[tokio::test]
async fn replays_at_once_and_beside_the_webhook_store_one_result() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    let id = once_unreadable(&app, &job, &success()).await;
    let replays = join_all((0..4).map(|_| operator.replay(id, json!({}))));
    let bulk = operator.replays(json!({ "filter": { "jobId": job.id } }));
    let other = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    let webhook = app.deliver(&job.webhook, other);
    tokio::join!(replays, bulk, webhook);
    let outcomes = app.delivery_outcomes(job.id).await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "accepted").count(), 1, "{outcomes:?}");
    assert_eq!(app.count("select count(*) from aftercall.results").await, 1);
    let kinds = app.timeline(job.id).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "completed").count(), 1, "{kinds:?}");
}

#[tokio::test]
async fn a_late_result_counts_once_its_job_is_tried_again() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, fixture("seed/failure.json")).await;
    app.deliver(&job.webhook, success()).await;
    let late = json!({ "filter": { "outcome": ["late"] } });
    assert_eq!(operator.replays(late.clone()).await["outcomes"], json!({ "late": 1 }));
    app.post(&format!("/v1/jobs/{}/retry", job.id), &Value::Null).await;
    assert_eq!(operator.replays(late).await["outcomes"], json!({ "accepted": 1 }));
    assert_eq!(app.job(job.id).await["completedVia"], "replay");
    assert_eq!(app.dispatcher.drain().await, 0, "nothing is left to be paid for");
}

#[tokio::test]
async fn a_filter_must_be_named_and_well_formed() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, OPERATOR).await;
    for wrong in [
        json!({}),
        json!({ "dryRun": true }),
        json!({ "filter": { "state": "x" } }),
        json!({ "filter": { "outcome": "malformed" } }),
        json!({ "filter": {}, "dry_run": true }),
        json!({ "filter": { "limit": 0 } }),
    ] {
        let refused = operator.send("POST", "/v1/admin/replays", &wrong).await;
        assert_eq!(refused.faults(), ["# format"], "{wrong}");
    }
    let foreign = json!({ "filter": { "cursor": "x" } });
    operator.send("POST", "/v1/admin/replays", &foreign).await.problem(400, "cursor-mismatch");
}
