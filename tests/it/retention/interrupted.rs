//! Runs that are killed, and runs at the same time.
use std::{sync::Arc, time::Duration};

use aftercall::retention::Applied;
use sqlx::{Connection as _, PgConnection};

use super::past;
use crate::{
    process::Home,
    support::{app::TestApp, db::TestDb, eventually},
};

const AGE: Duration = Duration::from_hours(90 * 24);

/// Stops every such command before it takes effect, until it can have a lock that the test holds.
async fn hold(db: &TestDb, tag: &str, event: &str) -> PgConnection {
    let statements = format!(
        "create function public.hold() returns event_trigger language plpgsql
            as $$ begin perform pg_advisory_xact_lock(4711); end $$;
        create event trigger hold on {event} when tag in ('{tag}') execute function public.hold();"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&db.pool).await.unwrap();
    let mut holder = PgConnection::connect_with(&db.connect_options()).await.unwrap();
    sqlx::query("select pg_advisory_lock(4711)").execute(&mut holder).await.unwrap();
    holder
}

/// Kills `aftercall retention` while one of its commands is held, and its session with it.
async fn killed_at(db: &TestDb, tag: &str, event: &str) {
    let mut holder = hold(db, tag, event).await;
    let home = Home::on(db).set("AFTERCALL__RETENTION__RESULTS", "90d");
    let mut process = home.start(["retention"]);
    let held = "select pid from pg_locks
        where locktype = 'advisory' and objid = 4711 and not granted and database =
            (select oid from pg_database where datname = current_database())";
    let session: i32 = eventually("the command is held", async || {
        sqlx::query_scalar(held).fetch_optional(&db.pool).await.unwrap()
    })
    .await;
    process.kill_hard();
    sqlx::query("select pg_terminate_backend($1)").bind(session).execute(&db.pool).await.unwrap();
    eventually("its session has ended", async || {
        let gone = "select not exists (select from pg_stat_activity where pid = $1)";
        let gone: bool = sqlx::query_scalar(gone).bind(session).fetch_one(&db.pool).await.unwrap();
        gone.then_some(())
    })
    .await;
    sqlx::query("select pg_advisory_unlock(4711)").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    sqlx::query("drop event trigger hold").execute(&db.pool).await.unwrap();
}

/// Partitions that are attached, and those that are detached and not dropped.
async fn partitions(db: &TestDb) -> (i64, i64) {
    let query = "select (select count(*) from aftercall.monthly_partitions),
        (select count(*) from aftercall.detached_partitions())";
    sqlx::query_as(query).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test]
async fn a_run_that_is_killed_while_it_detaches_is_finished_by_the_next() {
    let app = TestApp::start().await;
    let id = past::completed(&app, 3 * 365).await;
    let (before, _) = partitions(&app.db).await;
    killed_at(&app.db, "ALTER TABLE", "ddl_command_end").await;
    assert_eq!(partitions(&app.db).await, (before, 0), "the detachment was rolled back");
    app.get(&format!("/v1/jobs/{id}/result")).await.problem(410, "result-expired");
    let applied = past::apply(&app.db, |it| it.results = Some(AGE)).await;
    assert_eq!(applied.partitions_dropped, 9);
    assert_eq!(applied.rows["results"], 1);
    assert_eq!(partitions(&app.db).await, (before - 9, 0));
}

#[tokio::test]
async fn a_run_that_is_killed_before_it_drops_is_finished_by_the_next() {
    let app = TestApp::start().await;
    past::completed(&app, 3 * 365).await;
    let (before, _) = partitions(&app.db).await;
    killed_at(&app.db, "DROP TABLE", "ddl_command_start").await;
    assert_eq!(partitions(&app.db).await, (before - 1, 1));
    let planned = past::retention(&app.db, |it| it.results = Some(AGE)).plan().await.unwrap();
    assert_eq!(planned.partitions.len(), 9);
    let applied = past::apply(&app.db, |it| it.results = Some(AGE)).await;
    assert_eq!(applied.partitions_dropped, 9);
    assert_eq!(partitions(&app.db).await, (before - 9, 0));
}

#[tokio::test]
async fn two_replicas_delete_each_row_once() {
    let app = Arc::new(TestApp::start().await);
    for days in [3 * 365, 400, 200, 91, 91, 91] {
        past::completed(&app, days).await;
    }
    let planned = past::retention(&app.db, |it| it.jobs = Some(AGE)).plan().await.unwrap();
    let run = async || {
        let mut sum = Applied::default();
        eventually("nothing is left", async || {
            let applied = past::retention(&app.db, |it| it.jobs = Some(AGE)).apply().await.unwrap();
            sum.partitions_dropped += applied.partitions_dropped;
            for (table, rows) in applied.rows {
                *sum.rows.entry(table).or_default() += rows;
            }
            (!applied.is_cut_short).then_some(())
        })
        .await;
        sum
    };
    let (one, other) = tokio::join!(run(), run());
    assert_eq!(one.partitions_dropped + other.partitions_dropped, planned.partitions.len() as u64);
    for (table, rows) in planned.rows {
        let deleted = [&one, &other].map(|it| it.rows.get(table).copied().unwrap_or(0));
        assert_eq!(deleted.iter().sum::<u64>(), rows.unsigned_abs(), "{table}: {deleted:?}");
    }
}

/// A month is not dropped under a change of one of its jobs.
#[tokio::test]
async fn a_change_of_an_old_job_keeps_its_month() {
    let app = TestApp::start().await;
    let id = past::failed(&app, 3 * 365).await;
    let mut tx = app.db.pool.begin().await.unwrap();
    sqlx::query("select aftercall.ensure_partitions_of(array[$1])")
        .bind(id)
        .execute(&mut *tx)
        .await
        .unwrap();
    let retention = past::retention(&app.db, |it| it.timeline = Some(AGE));
    let applied = retention.apply().await.unwrap();
    assert!(applied.is_cut_short && applied.partitions_dropped == 0, "{applied:?}");
    tx.rollback().await.unwrap();
    assert_eq!(retention.apply().await.unwrap().partitions_dropped, 1);
}
