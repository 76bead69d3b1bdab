//! Claims of notifications, with endpoints that have many pending.
use std::time::Duration;

use aftercall::notifications::{self, ClaimLimits};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{notify::add_endpoint, support::db::TestDb};

const LANES: usize = 50;

/// Notifications of this endpoint, in this state, due so many seconds from now.
async fn fill(db: &PgPool, endpoint: Uuid, count: i32, state: &str, secs: i32) {
    sqlx::query(
        "insert into aftercall.notifications (id, lane, endpoint_id, caller_id, about_endpoint, type, version,
            occurred_at, state, due_at, finished_at, lease_id)
        select gen_random_uuid(), $1, $1, $1, $1, 'notify.test', 0, now(), $3,
            case when $3 <> 'delivered' then now() + make_interval(secs => $4) end,
            case when $3 = 'delivered' then now() end, $1
        from generate_series(1, $2)",
    )
    .bind(endpoint)
    .bind(count)
    .bind(state)
    .bind(secs)
    .execute(db)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_claim_reads_little_however_many_messages_wait() {
    let db = TestDb::new().await;
    let caller = Uuid::now_v7();
    let insert = "insert into aftercall.callers (id, name) values ($1, 'app')";
    sqlx::query(insert).bind(caller).execute(&db.pool).await.unwrap();
    let add = async || add_endpoint(&db.pool, caller, &["notify.test"]).await;
    let (dead, later) = (add().await, add().await);
    let failing =
        "update aftercall.endpoints set failures = 3, failing_since = now() where id = $1";
    sqlx::query(failing).bind(dead).execute(&db.pool).await.unwrap();
    fill(&db.pool, dead, 40_000, "pending", -5).await;
    fill(&db.pool, dead, 1, "delivering", 60).await;
    fill(&db.pool, later, 40_000, "pending", 3600).await;
    fill(&db.pool, later, 20_000, "delivered", 0).await;
    for _ in 0..LANES {
        fill(&db.pool, add().await, 2, "pending", -1).await;
    }
    sqlx::query("vacuum analyze").execute(&db.pool).await.unwrap();

    let mut tx = db.pool.begin().await.unwrap();
    assert!(notifications::has_due(&mut *tx).await.unwrap());
    assert!(notifications::reserve(&mut tx).await.unwrap());
    let limits = ClaimLimits { total: 1000, doubtful: 500, per_lane: 10 };
    let claimed = notifications::claim(&mut tx, limits, Duration::from_mins(1)).await.unwrap();
    assert_eq!(claimed.len(), 2 * LANES);
    notifications::sweep(&mut tx, Duration::from_hours(1)).await.unwrap();
    let (scanned, fetched): (i64, i64) = sqlx::query_as(
        "select seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables where relname = 'notifications'",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!(scanned, 0);
    // Each message is read a few times: to choose, to lock, to change it.
    assert!(usize::try_from(fetched).unwrap() < 20 * 2 * LANES, "{fetched}");
}
