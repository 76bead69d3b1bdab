//! Replicas that are killed in the middle lose nothing, and repeat messages only with the same `webhook-id`.
use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{endpoint, receiver::Receiver};
use crate::{
    process::{Home, Process},
    support::{
        app::{SEAL_KEY, TestApp},
        eventually,
    },
};

const JOBS: i64 = 250;
const HEALTHY: usize = 4;

fn replica(app: &TestApp) -> Home {
    Home::on(&app.db)
        .set("AFTERCALL__SEAL__KEY", SEAL_KEY)
        .set("AFTERCALL__NOTIFY__ALLOW", "127.0.0.1")
        .set("AFTERCALL__NOTIFY__TIMEOUT", "1s")
        .set("AFTERCALL__NOTIFY__LEASE", "2s")
        .set("AFTERCALL__NOTIFY__POLL_INTERVAL", "100ms")
        .set("AFTERCALL__NOTIFY__RETRIES", "100ms,200ms,400ms,1s,2s,4s")
        .set("AFTERCALL__NOTIFY__SLOW_DOWN_MAX", "1s")
}

/// Jobs that the provider has accepted, with an event each, all at once.
async fn jobs(app: &TestApp) {
    let first = app.submit().await;
    // Not to be submitted meanwhile.
    app.about(first, "update aftercall.jobs set due_at = due_at + interval '1 day' where id = $1")
        .await;
    sqlx::query(
        "with job as (
            insert into aftercall.jobs (id, caller_id, request, due_at, deadline_at, version)
            select aftercall.uuid_v7(now()), caller_id, request, due_at, deadline_at, 2
            from aftercall.jobs, generate_series(1, $2) where id = $1
            returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind) select id, version, 'submitted' from job",
    )
    .bind(first)
    .bind(i32::try_from(JOBS).unwrap())
    .execute(&app.db.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn nothing_is_lost_when_replicas_are_killed_while_endpoints_are_dead() {
    let app = TestApp::start().await;
    let mut healthy = Vec::new();
    for _ in 0..HEALTHY {
        let receiver = Receiver::start().await;
        endpoint(&app, &receiver.url(), &["job.submitted"]).await;
        healthy.push(receiver);
    }
    let hanging = Receiver::hanging().await;
    let (hung, _) = endpoint(&app, &hanging.url(), &["job.submitted"]).await;
    // Nothing listens there.
    let (refused, _) = endpoint(&app, "http://127.0.0.1:9/", &["job.submitted"]).await;
    jobs(&app).await;

    let homes = [replica(&app), replica(&app)];
    let start = |home: &Home| home.start(["serve"]);
    let mut processes: Vec<Process> = homes.iter().map(start).collect();
    let seen = || healthy.iter().map(|it| it.got().len()).sum::<usize>();
    let all = HEALTHY * usize::try_from(JOBS).unwrap();
    for part in 1..4 {
        // One of them is killed whenever another quarter has arrived, and started again.
        eventually("messages", async || (seen() >= all * part / 4).then_some(())).await;
        processes[part % 2].kill_hard();
        processes[part % 2] = start(&homes[part % 2]);
    }
    let open = "select exists (select from aftercall.notifications
        where finished_at is null and endpoint_id <> all ($1))";
    eventually("the rest", async || {
        let open: bool =
            sqlx::query_scalar(open).bind([hung, refused]).fetch_one(&app.db.pool).await.unwrap();
        (!open).then_some(())
    })
    .await;

    let jobs: Vec<Uuid> =
        sqlx::query_scalar("select job_id from aftercall.notifications where endpoint_id = $1")
            .bind(refused)
            .fetch_all(&app.db.pool)
            .await
            .unwrap();
    assert_eq!(jobs.len(), usize::try_from(JOBS).unwrap());
    let expected: HashSet<String> =
        jobs.iter().map(|id| format!("msg_{}_2", id.simple())).collect();
    for receiver in &healthy {
        let mut times: HashMap<String, usize> = HashMap::new();
        for got in receiver.got() {
            *times.entry(got.id().to_owned()).or_default() += 1;
        }
        assert_eq!(times.keys().cloned().collect::<HashSet<_>>(), expected);
    }
    let states: Vec<String> = sqlx::query_scalar(
        "select distinct state from aftercall.notifications where endpoint_id <> all ($1)",
    )
    .bind([hung, refused])
    .fetch_all(&app.db.pool)
    .await
    .unwrap();
    assert_eq!(states, ["delivered"]);
    // Their first failures may come later than everything else.
    let of_dead = "select count(*) from aftercall.notifications n join aftercall.endpoints e on e.id = n.endpoint_id
        where e.failures > 0 and n.state in ('pending', 'delivering', 'exhausted')";
    eventually("failures of the dead", async || {
        (app.count(of_dead).await == 2 * JOBS).then_some(())
    })
    .await;
}
