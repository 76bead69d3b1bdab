//! Changes that the sums cannot take do not block anyone's statistics.
use serde_json::json;
use uuid::Uuid;

use super::app_with_jobs;
use crate::support::{app::TestApp, eventually};

const WAITING: &str = "select count(*) from aftercall.stat_changes where set_aside is null";
const ASIDE: &str = "select count(*) from aftercall.stat_changes where set_aside = '54000'";

/// A job stored by an earlier version whose language and tags together are too long for the key of the sums. It ends at
/// once.
async fn poison(app: &TestApp) {
    // Random, since repetitive text would be compressed.
    let insert =
        "insert into aftercall.jobs (id, caller_id, request, tags, state, due_at, deadline_at)
        select $1, id, json_build_object('languageCode',
                (select string_agg(md5(random()::text), '') from generate_series(1, 80))),
            array[(select string_agg(md5(random()::text), '') from generate_series(1, 8))],
            'queued', now(), now() + interval '1 day'
        from aftercall.callers";
    let id = Uuid::now_v7();
    app.about(id, insert).await;
    app.about(
        id,
        "update aftercall.jobs set state = 'canceled', finished_at = now(), due_at = null,
            version = version + 1 where id = $1",
    )
    .await;
}

async fn ended(app: &TestApp) -> i64 {
    let jobs = app.get("/v1/stats/jobs?measures=jobs").await.json();
    jobs["data"][0]["measures"]["jobs"].as_i64().unwrap()
}

#[tokio::test]
async fn a_change_that_the_sums_do_not_take_is_set_aside_and_still_counts() {
    let app = app_with_jobs().await;
    poison(&app).await;
    assert_eq!(ended(&app).await, 4);
    let stop = tokio_util::sync::CancellationToken::new();
    let rollup = aftercall::rollup::Rollup {
        db: app.db.pool.clone(),
        metrics: aftercall::metrics::Metrics::default(),
    };
    let running = tokio::spawn(rollup.run(stop.clone()));
    eventually("all other changes to be merged", async || {
        (app.count(WAITING).await == 0).then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(app.count(ASIDE).await, 1);
    assert_eq!(ended(&app).await, 4);
    let tags = app.get("/v1/stats/jobs?groupBy=tag&measures=completed").await.json();
    assert_eq!(tags["data"][0], json!({ "group": "support", "measures": { "completed": 2 } }));
}
