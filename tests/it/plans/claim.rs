//! Claiming jobs, and the place of one in the queue.
use std::time::Duration;

use aftercall::jobs;
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
    assert_eq!(jobs::claim(&mut tx, &seal(), 10, Duration::from_mins(1)).await.unwrap().len(), 10);
    reads_little(&mut tx, 100).await;
    tx.commit().await.unwrap();

    let used_up = "update aftercall.callers set daily_quota = 1 where name = 'other'";
    sqlx::query(used_up).execute(&app.db.pool).await.unwrap();
    let mut own = fresh(&app.db.pool).await;
    let mut tx = app.announcer.begin_on(&mut own).await.unwrap();
    assert_eq!(jobs::claim(&mut tx, &seal(), 10, Duration::from_mins(1)).await.unwrap().len(), 10);
    reads_little(&mut tx, 80).await;
    sqlx::query("update aftercall.callers set daily_quota = 1").execute(&mut **tx).await.unwrap();
    assert!(!jobs::has_due(&mut **tx).await.unwrap());
    assert_eq!(jobs::claim(&mut tx, &seal(), 10, Duration::from_mins(1)).await.unwrap().len(), 0);
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
