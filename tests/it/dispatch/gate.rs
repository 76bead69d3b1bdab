//! The provider gate: one budget for all replicas.
use std::time::Duration;

use aftercall::{
    config::GateSettings,
    provider::{
        RateHeaders,
        gate::{self, Purpose},
    },
};
use futures_util::future::join_all;

use crate::support::db::TestDb;

const SETTINGS: GateSettings = GateSettings {
    limit: 5,
    window: Duration::from_mins(1),
    penalty: Duration::from_mins(1),
    poll_share: 0.4,
    probe: Duration::from_mins(1),
};

async fn take(db: &TestDb, purpose: Purpose, wanted: usize) -> usize {
    let mut tx = db.pool.begin().await.unwrap();
    let granted = gate::take(&mut tx, &SETTINGS, purpose, wanted).await.unwrap();
    tx.commit().await.unwrap();
    granted
}

async fn submissions(db: &TestDb, wanted: usize) -> usize {
    take(db, Purpose::Submission, wanted).await
}

async fn polls(db: &TestDb, share: f64, wanted: usize) -> usize {
    take(db, Purpose::Poll { share }, wanted).await
}

async fn run(db: &TestDb, statement: &'static str) {
    sqlx::query(statement).execute(&db.pool).await.unwrap();
}

#[tokio::test]
async fn concurrent_takers_never_get_more_than_the_limit() {
    let db = TestDb::new().await;
    let granted = join_all((0..8).map(|_| submissions(&db, 2))).await;
    assert_eq!(granted.iter().sum::<usize>(), 5);
    assert_eq!(submissions(&db, 1).await, 0);
}

#[tokio::test]
async fn calls_come_back_when_the_window_has_passed() {
    let db = TestDb::new().await;
    assert_eq!(submissions(&db, 2).await, 2);
    run(&db, "update aftercall.provider_gate set submissions = array[now() - interval '61 s', now() - interval '64 s']").await;
    // The window is slightly wider than the provider's, because calls vary in latency.
    assert_eq!(submissions(&db, 9).await, 4);
}

#[tokio::test]
async fn polls_keep_to_their_share() {
    let db = TestDb::new().await;
    assert_eq!(polls(&db, 0.4, 9).await, 2);
    assert_eq!(polls(&db, 0.4, 9).await, 0);
    assert_eq!(submissions(&db, 9).await, 3);
    assert_eq!(polls(&db, 1.0, 9).await, 0);
}

#[tokio::test]
async fn polls_get_everything_when_nothing_else_waits_and_one_at_least() {
    let db = TestDb::new().await;
    assert_eq!(polls(&db, 0.01, 9).await, 1);
    assert_eq!(polls(&db, 1.0, 9).await, 4);
    assert_eq!(submissions(&db, 1).await, 0);
}

#[tokio::test]
async fn a_block_holds_for_all_and_is_never_shortened() {
    let db = TestDb::new().await;
    gate::block(&db.pool, Duration::from_mins(2)).await.unwrap();
    gate::block(&db.pool, Duration::from_secs(1)).await.unwrap();
    assert_eq!(submissions(&db, 1).await, 0);
    assert_eq!(polls(&db, 1.0, 1).await, 0);
    let query = "select blocked_until > now() + interval '100 s' from aftercall.provider_gate";
    let holds: bool = sqlx::query_scalar(query).fetch_one(&db.pool).await.unwrap();
    assert!(holds);
    run(&db, "update aftercall.provider_gate set blocked_until = now()").await;
    assert_eq!(submissions(&db, 1).await, 1);
}

#[tokio::test]
async fn what_found_nothing_to_do_is_given_back() {
    let db = TestDb::new().await;
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(gate::take(&mut tx, &SETTINGS, Purpose::Submission, 4).await.unwrap(), 4);
    gate::give_back(&mut tx, Purpose::Submission, 3).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(submissions(&db, 9).await, 4);
}

#[tokio::test]
async fn a_rolled_back_take_costs_nothing() {
    let db = TestDb::new().await;
    let mut tx = db.pool.begin().await.unwrap();
    gate::take(&mut tx, &SETTINGS, Purpose::Submission, 5).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(submissions(&db, 9).await, 5);
}

#[tokio::test]
async fn the_limit_the_provider_names_counts_if_it_is_lower() {
    let db = TestDb::new().await;
    let told = |limit, remaining| RateHeaders {
        limit: Some(limit),
        remaining: Some(remaining),
        window: None,
    };
    gate::learn(&db.pool, &told(3, 2)).await.unwrap();
    assert_eq!(submissions(&db, 9).await, 2);
    gate::learn(&db.pool, &told(50, 49)).await.unwrap();
    assert_eq!(submissions(&db, 9).await, 2);
}

#[tokio::test]
async fn a_limit_of_nothing_does_not_stop_us_for_good() {
    let db = TestDb::new().await;
    let none = RateHeaders { limit: Some(0), remaining: Some(0), window: None };
    gate::learn(&db.pool, &none).await.unwrap();
    assert_eq!(submissions(&db, 9).await, 1);
}
