//! The feed of events: long polls and streams.
mod client;
mod connection;
mod kinds;
mod many;
mod order;
mod streams;
mod waits;

use serde_json::json;
use uuid::Uuid;

use crate::support::{
    app::{Submitted, TestApp},
    eventually,
};

/// A body that completes its job.
fn success() -> String {
    json!({ "status": "Success", "response": { "utteranceInsights": [] } }).to_string()
}

async fn complete(app: &TestApp, job: &Submitted) {
    assert_eq!(app.deliver(&job.webhook, success()).await.status, 200);
}

/// Waits until `count` clients are waiting.
async fn waiting(app: &TestApp, count: usize) {
    eventually("others who wait", async || (app.feed.waiting() == count).then_some(())).await;
}

/// Adds an event to the job by SQL alone, with the next number.
async fn change(db: &mut sqlx::PgConnection, job_id: Uuid) {
    let change = "with job as (
            update aftercall.jobs set version = version + 1 where id = $1 returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind) select id, version, 'delivery' from job";
    sqlx::query(change).bind(job_id).execute(db).await.unwrap();
}
