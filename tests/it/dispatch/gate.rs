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
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

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
    let granted = gate::take(&mut tx, "default", &SETTINGS, purpose, wanted).await.unwrap();
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
    assert_eq!(submissions(&db, 1).await, 1);
    run(&db, "update aftercall.provider_calls set made_at = made_at - interval '3 s'").await;
    assert_eq!(submissions(&db, 1).await, 1);
    run(&db, "update aftercall.provider_calls set made_at = made_at - interval '61 s'").await;
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
    gate::block(&db.pool, "default", Duration::from_mins(2)).await.unwrap();
    gate::block(&db.pool, "default", Duration::from_secs(1)).await.unwrap();
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
    assert_eq!(gate::take(&mut tx, "default", &SETTINGS, Purpose::Submission, 4).await.unwrap(), 4);
    gate::give_back(&mut tx, "default", Purpose::Submission, 3).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(submissions(&db, 9).await, 4);
}

#[tokio::test]
async fn a_rolled_back_take_costs_nothing() {
    let db = TestDb::new().await;
    let mut tx = db.pool.begin().await.unwrap();
    gate::take(&mut tx, "default", &SETTINGS, Purpose::Submission, 5).await.unwrap();
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
    gate::learn(&db.pool, "default", &told(3, 2)).await.unwrap();
    assert_eq!(submissions(&db, 9).await, 2);
    gate::learn(&db.pool, "default", &told(50, 49)).await.unwrap();
    assert_eq!(submissions(&db, 9).await, 2);
}

#[tokio::test]
async fn a_limit_of_nothing_does_not_stop_us_for_good() {
    let db = TestDb::new().await;
    let none = RateHeaders { limit: Some(0), remaining: Some(0), window: None };
    gate::learn(&db.pool, "default", &none).await.unwrap();
    assert_eq!(submissions(&db, 9).await, 1);
}

const HOUR: GateSettings = GateSettings { window: Duration::from_hours(1), ..SETTINGS };

async fn take_with(db: &TestDb, settings: &GateSettings, purpose: Purpose, wanted: usize) -> usize {
    let mut tx = db.pool.begin().await.unwrap();
    let granted = gate::take(&mut tx, "default", settings, purpose, wanted).await.unwrap();
    tx.commit().await.unwrap();
    granted
}

/// Random calls of processes with different limits and windows, against the gate in its simplest form: a list.
#[tokio::test]
async fn no_window_of_any_process_has_more_calls_than_its_limit() {
    let db = TestDb::new().await;
    // The age in minutes of each call, and whether it was a poll. The windows are 63 and 189 minutes long.
    let mut made: Vec<(u64, bool)> = Vec::new();
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..300 {
        let minutes = 10 * random.random_range(0..4_u64);
        for (age, _) in &mut made {
            *age += minutes;
        }
        for pass in [
            "update aftercall.provider_calls set made_at = made_at - make_interval(mins => $1)",
            "update aftercall.provider_gate set swept_to = swept_to - make_interval(mins => $1)",
        ] {
            let minutes = i32::try_from(minutes).unwrap();
            sqlx::query(pass).bind(minutes).execute(&db.pool).await.unwrap();
        }

        let limit = random.random_range(1..9);
        let windows = random.random_range(1..3_u32) * 2 - 1;
        let settings = GateSettings { limit, window: HOUR.window * windows, ..HOUR };
        let is_poll = random.random_bool(0.5);
        let purpose = if is_poll { Purpose::Poll { share: 0.5 } } else { Purpose::Submission };
        let wanted = random.random_range(1..5);
        let granted = take_with(&db, &settings, purpose, wanted).await;

        let window = 63 * u64::from(windows);
        let used = made.iter().filter(|(age, _)| *age < window).count();
        let polled = made.iter().filter(|(age, was_poll)| *age < window && *was_poll).count();
        let limit = usize::try_from(limit).unwrap();
        let mut free = limit.saturating_sub(used);
        if is_poll {
            free = free.min((limit / 2).max(1).saturating_sub(polled));
        }
        assert_eq!(granted, free.min(wanted), "seed {seed}: {settings:?} {purpose:?} {made:?}");
        made.extend(std::iter::repeat_n((0, is_poll), granted));
    }
    let rows = "select count(*) from aftercall.provider_calls";
    let rows: i64 = sqlx::query_scalar(rows).fetch_one(&db.pool).await.unwrap();
    assert!(rows < 30, "{rows} rows are left of {}", made.len());
}

#[tokio::test]
async fn a_process_with_a_shorter_window_keeps_what_a_longer_one_counts() {
    let db = TestDb::new().await;
    assert_eq!(take_with(&db, &HOUR, Purpose::Submission, 3).await, 3);
    run(&db, "update aftercall.provider_calls set made_at = made_at - interval '2 h'").await;
    for _ in 0..3 {
        run(&db, "update aftercall.provider_calls set made_at = made_at - interval '5 min'").await;
        assert_eq!(submissions(&db, 1).await, 1);
    }
    assert_eq!(take_with(&db, &HOUR, Purpose::Submission, 9).await, 2);
}

#[tokio::test]
async fn after_a_restart_with_a_longer_window_it_waits_for_what_it_cannot_know() {
    let db = TestDb::new().await;
    for _ in 0..3 {
        assert_eq!(submissions(&db, 2).await, 2);
        run(&db, "update aftercall.provider_calls set made_at = made_at - interval '5 min'").await;
    }
    assert_eq!(take_with(&db, &HOUR, Purpose::Submission, 1).await, 0);
    run(&db, "update aftercall.provider_calls set made_at = made_at - interval '1 h'").await;
    assert_eq!(take_with(&db, &HOUR, Purpose::Submission, 9).await, 5);
}

/// The statements of the previous release, which kept the calls in arrays: take, note, give back.
const OLD: [&str; 3] = [
    "update aftercall.provider_gate set
        submissions = array(select made from unnest(submissions) made
            where made > clock_timestamp() - interval '63 s'),
        polls = array(select made from unnest(polls) made where made > clock_timestamp() - interval '63 s')
    where rate_group = 'heavy'
    returning cardinality(submissions), cardinality(polls)",
    "update aftercall.provider_gate set
        submissions = submissions || array_fill(clock_timestamp(), array[$1]),
        polls = polls || array_fill(clock_timestamp(), array[$2])
    where rate_group = 'heavy'",
    "update aftercall.provider_gate set submissions = trim_array(submissions, $1) where rate_group = 'heavy'",
];

#[tokio::test]
async fn replicas_of_the_previous_release_share_the_window() {
    let db = TestDb::new().await;
    let old = async |submissions: i32, polls: i32, unused: i32| {
        let mut tx = db.pool.begin().await.unwrap();
        let found: (i32, i32) = sqlx::query_as(OLD[0]).fetch_one(&mut *tx).await.unwrap();
        let note = sqlx::query(OLD[1]).bind(submissions).bind(polls);
        note.execute(&mut *tx).await.unwrap();
        sqlx::query(OLD[2]).bind(unused).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        found
    };
    assert_eq!(submissions(&db, 1).await, 1);
    assert_eq!(old(3, 1, 2).await, (1, 0));
    assert_eq!(polls(&db, 1.0, 1).await, 1);
    assert_eq!(old(0, 0, 0).await, (2, 2));
    assert_eq!(submissions(&db, 9).await, 1);
    run(&db, "update aftercall.provider_calls set made_at = made_at - interval '64 s'").await;
    assert_eq!(old(4, 0, 0).await, (0, 0));
    assert_eq!(submissions(&db, 9).await, 1);
}

#[tokio::test]
async fn calls_that_the_previous_release_made_count_after_the_upgrade() {
    let db = TestDb::at(53).await;
    run(
        &db,
        "update aftercall.provider_gate set polls = array[now() - interval '2 s'],
            submissions = array[now() - interval '70 s', now() - interval '2 s', now() - interval '1 s']",
    )
    .await;
    aftercall::db::migrate(&db.pool).await.unwrap();
    assert_eq!(polls(&db, 0.4, 9).await, 1);
    assert_eq!(submissions(&db, 9).await, 1);
}

#[tokio::test]
async fn what_others_call_counts_too_and_a_response_without_news_writes_nothing() {
    let db = TestDb::new().await;
    let told = |remaining| RateHeaders { limit: Some(5), remaining: Some(remaining), window: None };
    let written = "select xmin::text from aftercall.provider_gate";
    let written =
        async || sqlx::query_scalar::<_, String>(written).fetch_one(&db.pool).await.unwrap();
    assert_eq!(submissions(&db, 2).await, 2);
    gate::learn(&db.pool, "default", &told(3)).await.unwrap();
    let before = written().await;
    gate::learn(&db.pool, "default", &told(3)).await.unwrap();
    assert_eq!(written().await, before);
    gate::learn(&db.pool, "default", &told(1)).await.unwrap();
    assert_eq!(submissions(&db, 9).await, 1);
}
