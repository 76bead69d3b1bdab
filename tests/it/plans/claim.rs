//! Claiming jobs, and the place of one in the queue.
use std::time::Duration;

use aftercall::{config::GateSettings, jobs, provider::gate};
use sqlx::{Connection as _, PgPool};

use super::{fresh, reads_little};
use crate::support::{
    app::{TestApp, seal},
    seed::seed,
};

/// Queued jobs among the seeded ones of each caller, all of them due.
const QUEUED: i64 = 2000;

async fn seeded(db: &PgPool) {
    for caller in ["app", "other"] {
        let insert = "insert into aftercall.callers (id, name) values (gen_random_uuid(), $1)
            on conflict (name) do nothing";
        sqlx::query(insert).bind(caller).execute(db).await.unwrap();
        seed(db, caller, i32::try_from(QUEUED).unwrap() * 10, 1).await;
    }
    sqlx::query("vacuum analyze").execute(db).await.unwrap();
}

#[tokio::test]
async fn a_claim_reads_what_it_claims_and_none_of_what_waits_for_a_quota() {
    let app = TestApp::start().await;
    seeded(&app.db.pool).await;
    let mut own = fresh(&app.db.pool).await;
    let mut tx = app.announcer.begin_on(&mut own).await.unwrap();
    assert!(jobs::has_due(&mut **tx).await.unwrap());
    assert_eq!(
        jobs::claim(&mut tx, &seal(), "default", 10, Duration::from_mins(1)).await.unwrap().len(),
        10
    );
    reads_little(&mut tx, 100).await;
    tx.commit().await.unwrap();

    let used_up = "update aftercall.callers set daily_quota = 1 where name = 'other'";
    sqlx::query(used_up).execute(&app.db.pool).await.unwrap();
    let mut own = fresh(&app.db.pool).await;
    let mut tx = app.announcer.begin_on(&mut own).await.unwrap();
    assert_eq!(
        jobs::claim(&mut tx, &seal(), "default", 10, Duration::from_mins(1)).await.unwrap().len(),
        10
    );
    reads_little(&mut tx, 80).await;
    sqlx::query("update aftercall.callers set daily_quota = 1").execute(&mut **tx).await.unwrap();
    assert!(!jobs::has_due(&mut **tx).await.unwrap());
    assert_eq!(
        jobs::claim(&mut tx, &seal(), "default", 10, Duration::from_mins(1)).await.unwrap().len(),
        0
    );
    reads_little(&mut tx, 80).await;
}

#[tokio::test]
async fn a_place_in_the_queue_reads_the_jobs_ahead_by_their_index() {
    let app = TestApp::start().await;
    seeded(&app.db.pool).await;
    let query = "select j.id from aftercall.jobs j join aftercall.callers c on c.id = j.caller_id
        where c.name = 'app' and state = 'queued' order by j.due_at offset 99 limit 1";
    let id: uuid::Uuid = sqlx::query_scalar(query).fetch_one(&app.db.pool).await.unwrap();
    let mut own = fresh(&app.db.pool).await;
    let mut tx = own.begin().await.unwrap();
    let place = jobs::place(&mut *tx, id.into()).await.unwrap().unwrap();
    assert_eq!(place.position, 200);
    reads_little(&mut tx, 250).await;
}

/// Each granted by itself, and half of them older than the window.
const CALLS: i32 = 100_000;

#[tokio::test]
async fn a_call_costs_as_much_however_many_the_window_has() {
    let app = TestApp::start().await;
    let calls = "insert into aftercall.provider_calls
        select 'default', now() - make_interval(secs => 126.0 * ($1 - n) / $1), n, 0
        from generate_series(1, $1) n";
    sqlx::query(calls).bind(CALLS).execute(&app.db.pool).await.unwrap();
    for statement in [
        "update aftercall.provider_gate set calls_total = (select max(calls_total) from aftercall.provider_calls)",
        "vacuum analyze aftercall.provider_calls",
    ] {
        sqlx::query(statement).execute(&app.db.pool).await.unwrap();
    }
    let settings = GateSettings { limit: 1_000_000, ..app.dispatcher.accounts[0].gate.clone() };
    for _ in 0..3 {
        let mut own = fresh(&app.db.pool).await;
        let mut tx = own.begin().await.unwrap();
        let purpose = gate::Purpose::Submission;
        assert_eq!(gate::take(&mut tx, "default", &settings, purpose, 4).await.unwrap(), 4);
        let read = "select seq_tup_read + idx_tup_fetch, n_tup_del from pg_stat_xact_user_tables
            where relname = 'provider_calls'";
        let (read, deleted): (i64, i64) = sqlx::query_as(read).fetch_one(&mut *tx).await.unwrap();
        assert!(read <= 10, "reads {read} rows of calls");
        assert_eq!(deleted, 2, "more than it adds");
        tx.commit().await.unwrap();
    }
}
