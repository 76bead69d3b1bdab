//! The feed of events.
use aftercall::{
    events::{self, EventScope, Point, Snapshot},
    jobs::JobId,
};
use uuid::Uuid;

use super::{assert_selective, plan};
use crate::support::app::TestApp;

/// Ten thousand events of today's jobs, each written by a separate transaction.
async fn seeded(app: &TestApp) -> EventScope {
    app.submit().await;
    let seed = "with job as (
            insert into aftercall.jobs (id, caller_id, request, due_at, deadline_at)
            select encode(int8send((extract(epoch from now()) * 1000)::bigint << 16) || int8send(n), 'hex')::uuid,
                (select id from aftercall.callers), '{}', now(), now()
            from generate_series(1, 2000) n
            returning id
        )
        insert into aftercall.job_events (job_id, seq, kind, xid)
        select id, seq, 'delivery', (100 + row_number() over ())::text::xid8
        from job, generate_series(1, 5) seq";
    sqlx::query(seed).execute(&app.db.pool).await.unwrap();
    sqlx::query("analyze").execute(&app.db.pool).await.unwrap();
    let caller: Uuid = sqlx::query_scalar("select id from aftercall.callers")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    EventScope { caller_id: caller.into(), job_id: None }
}

#[tokio::test]
async fn what_is_new_and_what_was_missed_is_found_by_index() {
    let app = TestApp::start().await;
    let whose = seeded(&app).await;
    let db = &app.db.pool;
    let snapshot = |text: &str| Snapshot::from(text.to_owned());
    for seen in ["10100:10100:", "9000:10100:9000,9500"] {
        assert_selective(db, &plan(db, events::since_query(&snapshot(seen), 10_001)).await).await;
        let from = Point { since: snapshot(seen), until: snapshot("10100:10100:"), position: 7 };
        assert_selective(db, &plan(db, events::missed_query(whose, &from, 500)).await).await;
    }
    let job: JobId =
        sqlx::query_scalar("select id from aftercall.jobs limit 1").fetch_one(db).await.unwrap();
    let of_job = EventScope { job_id: Some(job), ..whose };
    let from = Point { position: 0, ..Point::at(snapshot("5:5:")) };
    assert_selective(db, &plan(db, events::missed_query(of_job, &from, 500)).await).await;
}
