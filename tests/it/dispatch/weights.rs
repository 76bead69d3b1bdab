//! Callers get submissions in proportion to their weights, over all replicas.
use aftercall::{
    callers::{self, KeyTerms},
    dispatch::Dispatcher,
};
use serde_json::Value;
use sqlx::PgPool;

use crate::support::app::{TestApp, seal};

/// Callers that have queued jobs, and how many.
const QUEUE: &str = "
    insert into aftercall.jobs (id, caller_id, request, due_at, deadline_at)
    select (left(aftercall.uuid_floor(now())::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid, c.id,
        json_build_object('contentUri', 'https://media.example/', 'encoding', 'Wav', 'source', c.name),
        now() - interval '1 hour' + make_interval(secs => n), now() + interval '1 day'
    from aftercall.callers c, generate_series(1, $2) n where c.name = $1";

async fn caller(app: &TestApp, name: &str, weight: i32) {
    callers::create(&app.db.pool, name, "test", KeyTerms::default()).await.unwrap();
    let set = "update aftercall.callers set weight = $2 where name = $1";
    sqlx::query(set).bind(name).bind(weight).execute(&app.db.pool).await.unwrap();
}

async fn queue(app: &TestApp, name: &str, jobs: i32) {
    sqlx::query(QUEUE).bind(name).bind(jobs).execute(&app.db.pool).await.unwrap();
}

/// A dispatcher of another replica.
fn replica(app: &TestApp) -> Dispatcher {
    let options = PgPool::connect_options(&app.db.runtime);
    Dispatcher { db: PgPool::connect_lazy_with((*options).clone()), ..app.dispatcher.clone() }
}

async fn new_window(app: &TestApp) {
    let query = "update aftercall.provider_calls set made_at = made_at - interval '1 hour'";
    sqlx::query(query).execute(&app.db.pool).await.unwrap();
}

/// The callers of the submissions, in their order.
async fn served(app: &TestApp) -> Vec<String> {
    let sent = app.submissions().await;
    let name = |request: &wiremock::Request| {
        request.body_json::<Value>().unwrap()["source"].as_str().unwrap().to_owned()
    };
    sent.iter().map(name).collect()
}

#[tokio::test]
async fn two_replicas_serve_three_callers_in_proportion_to_their_weights() {
    const WEIGHTS: [(&str, i32); 3] = [("one", 1), ("two", 2), ("five", 5)];
    /// Submissions per window; each replica takes one at a time.
    const LIMIT: usize = 10;
    let app = TestApp::with(|settings| {
        settings.provider.gate.limit = u32::try_from(LIMIT).unwrap();
        settings.dispatch.concurrency = 1;
    })
    .await;
    for (name, weight) in WEIGHTS {
        caller(&app, name, weight).await;
        queue(&app, name, 100).await;
    }
    let (one, other) = (&app.dispatcher, replica(&app));
    for _ in 0..12 {
        let (mine, others) = tokio::join!(one.drain(), other.drain());
        assert_eq!(mine + others, LIMIT);
        new_window(&app).await;
    }
    let served = served(&app).await;
    assert_eq!(served.len(), 12 * LIMIT);
    for length in 1..=served.len() {
        for (name, weight) in WEIGHTS {
            let count = served[..length].iter().filter(|caller| *caller == name).count();
            let fair = f64::from(weight) / 8.0 * f64::from(u32::try_from(length).unwrap());
            let apart = (f64::from(u32::try_from(count).unwrap()) - fair).abs();
            // One of each caller's own, and one that the other replica is sending.
            assert!(apart <= 2.0, "{name} has {count} of {length}, not {fair}: {served:?}");
        }
    }
}

#[tokio::test]
async fn a_caller_that_was_idle_gets_its_share_and_nothing_for_the_past() {
    let app = TestApp::with(|settings| settings.dispatch.concurrency = 1).await;
    for name in ["busy", "idle"] {
        caller(&app, name, 1).await;
    }
    queue(&app, "idle", 1).await;
    queue(&app, "busy", 40).await;
    assert_eq!(app.dispatcher.drain().await, 41);
    // Both queue at once what the idle one missed, and a new caller comes.
    caller(&app, "new", 1).await;
    for name in ["busy", "idle", "new"] {
        queue(&app, name, 20).await;
    }
    assert_eq!(app.dispatcher.drain().await, 60);
    let served = served(&app).await;
    for three in served[41..].chunks(3) {
        let mut three = three.to_vec();
        three.sort_unstable();
        assert_eq!(three, ["busy", "idle", "new"], "{served:?}");
    }
}

#[tokio::test]
async fn a_weight_counts_from_the_moment_it_is_set_and_within_a_batch() {
    let app = TestApp::with(|settings| settings.dispatch.concurrency = 9).await;
    for (name, weight) in [("a", 1), ("b", 1)] {
        caller(&app, name, weight).await;
        queue(&app, name, 30).await;
    }
    let window = async |weight: i32| {
        let set = "update aftercall.callers set weight = $1 where name = 'b'";
        sqlx::query(set).bind(weight).execute(&app.db.pool).await.unwrap();
        let mut tx = app.announcer.begin(&app.db.runtime).await.unwrap();
        let lease = std::time::Duration::from_mins(1);
        let claimed = aftercall::jobs::claim(&mut tx, &seal(), "default", 9, lease).await.unwrap();
        tx.commit().await.unwrap();
        claimed.iter().filter(|job| job.request["source"] == "b").count()
    };
    assert!((4..=5).contains(&window(1).await));
    assert!((7..=9).contains(&window(8).await));
    assert!((4..=5).contains(&window(1).await));
}

#[tokio::test]
async fn positions_follow_the_weights() {
    let app = TestApp::start().await;
    for (name, weight) in [("one", 1), ("five", 5)] {
        caller(&app, name, weight).await;
        queue(&app, name, 10).await;
    }
    // Its third job is preceded by two of its own and at most eleven of the other, who has ten.
    let place = async |caller: &str, nth: i64| {
        let query =
            "select j.id from aftercall.jobs j join aftercall.callers c on c.id = j.caller_id
            where c.name = $1 order by j.due_at, j.id offset $2 - 1 limit 1";
        let id: uuid::Uuid =
            sqlx::query_scalar(query).bind(caller).bind(nth).fetch_one(&app.db.pool).await.unwrap();
        aftercall::jobs::place(&app.db.runtime, id.into()).await.unwrap().unwrap().position
    };
    assert_eq!(place("one", 3).await, 3 + 10);
    assert_eq!(place("one", 1).await, 1 + 1);
    assert_eq!(place("five", 1).await, 1 + 1);
    assert_eq!(place("five", 10).await, 10 + 2);
}
