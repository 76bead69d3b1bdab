//! Sampling the service.
use aftercall::samples::{self, Samples, Values};
use chrono::DateTime;

use super::{MANY, scanned};
use crate::support::{app::TestApp, seed::seed};

#[tokio::test]
async fn a_sample_reads_no_table_that_grows_with_finished_jobs() {
    let app = TestApp::start().await;
    let db = &app.db.pool;
    seed(db, "app", 20_000, 1).await;
    let rest = "with finished as (
            update aftercall.jobs set state = 'timed_out', due_at = null, finished_at = now()
            where state = 'queued' and created_at < now() - interval '1 day' returning id)
        insert into aftercall.deliveries
            (job_id, id, attempt, via, outcome, headers, body, body_sha, body_bytes)
        select id, id, 1, 'poll', 'accepted', '{}'::json, 'x', sha256('x'), 1
        from aftercall.jobs where state = 'completed'";
    sqlx::query(rest).execute(db).await.unwrap();
    sqlx::query("analyze").execute(db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let before = Samples { taken_at: DateTime::UNIX_EPOCH, values: Values::default() };
    samples::gather(
        &mut tx,
        &aftercall::provider::Account::gates(&app.dispatcher.accounts),
        &before,
    )
    .await
    .unwrap();
    let large: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'aftercall'::regnamespace
            and relname = any($1) and reltuples > $2",
    )
    .bind(scanned(&mut tx).await)
    .bind(MANY)
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    assert!(large.is_empty(), "reads all of {large:?}");
}
