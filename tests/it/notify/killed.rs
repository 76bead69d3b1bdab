//! Replicas that are killed in the middle lose nothing, and repeat messages only with the same `webhook-id`.
use std::{collections::HashSet, io::Write as _, time::Duration};

use uuid::Uuid;

use super::{endpoint, receiver::Receiver};
use crate::{
    process::{Home, Process},
    support::{
        Pace,
        app::{SEAL_KEY, TestApp},
        eventually, eventually_at,
    },
};

/// Jobs with an event each, endpoints, and how many of those are dead. `TEST_NOTIFY_JOBS` and
/// `TEST_NOTIFY_ENDPOINTS` ask for the long form, in which one in twenty is dead.
#[derive(Debug, Clone, Copy)]
struct Plan {
    jobs: usize,
    healthy: usize,
    dead: usize,
    kills: usize,
}

impl Plan {
    fn from_environment() -> Self {
        let number = |name| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
        match (number("TEST_NOTIFY_JOBS"), number("TEST_NOTIFY_ENDPOINTS")) {
            (Some(jobs), Some(endpoints)) => {
                let dead = (endpoints / 20).max(2);
                Self { jobs, healthy: endpoints - dead, dead, kills: 20 }
            }
            _ => Self { jobs: 250, healthy: 4, dead: 2, kills: 3 },
        }
    }

    /// Bypasses the test harness's capture: the figure of the long form.
    fn tell(self, repeated: usize) {
        let _ = writeln!(std::io::stderr(), "{self:?}: {repeated} messages arrived again");
    }
}

/// For waits whose length depends on the number of messages.
const LONG_WAIT: Pace =
    Pace { look_every: Duration::from_millis(20), timeout: Duration::from_mins(10) };

fn replica(app: &TestApp) -> Home {
    Home::on(&app.db)
        .set("AFTERCALL__SEAL__KEY", SEAL_KEY)
        .set("AFTERCALL__NOTIFY__ALLOW", "127.0.0.1")
        .set("AFTERCALL__NOTIFY__TIMEOUT", "1s")
        .set("AFTERCALL__NOTIFY__LEASE", "4s")
        .set("AFTERCALL__NOTIFY__POLL_INTERVAL", "100ms")
        .set("AFTERCALL__NOTIFY__RETRIES", "100ms,200ms,400ms,1s,2s,4s")
        .set("AFTERCALL__NOTIFY__SLOW_DOWN_MAX", "1s")
}

/// Jobs that the provider has accepted, with an event each, all at once.
async fn happen(app: &TestApp, jobs: usize) {
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
    .bind(i32::try_from(jobs).unwrap())
    .execute(&app.db.pool)
    .await
    .unwrap();
}

/// Two replicas that send everything; one of them is killed whenever another part has arrived, and started again.
async fn killed_meanwhile(
    app: &TestApp,
    plan: Plan,
    healthy: &[Receiver],
) -> (Vec<Process>, [Home; 2]) {
    let homes = [replica(app), replica(app)];
    let start = |home: &Home| home.start(["serve"]);
    let mut processes: Vec<Process> = homes.iter().map(start).collect();
    for part in 1..=plan.kills {
        let mark = plan.healthy * plan.jobs * part / (plan.kills + 1);
        eventually_at(LONG_WAIT, "messages", async || (seen(healthy) >= mark).then_some(())).await;
        processes[part % 2].kill_hard();
        processes[part % 2] = start(&homes[part % 2]);
    }
    (processes, homes)
}

fn seen(healthy: &[Receiver]) -> usize {
    healthy.iter().map(Receiver::count).sum()
}

#[tokio::test]
async fn nothing_is_lost_when_replicas_are_killed_while_endpoints_are_dead() {
    let plan = Plan::from_environment();
    let app = TestApp::start().await;
    let mut healthy = Vec::new();
    for _ in 0..plan.healthy {
        let receiver = Receiver::start().await;
        endpoint(&app, &receiver.url(), &["job.submitted"]).await;
        healthy.push(receiver);
    }
    let hanging = Receiver::hanging().await;
    let mut dead = Vec::new();
    for n in 0..plan.dead {
        // At the other address nothing listens.
        let url = if n % 2 == 0 { hanging.url() } else { "http://127.0.0.1:9/".to_owned() };
        dead.push(endpoint(&app, &url, &["job.submitted"]).await.0);
    }
    happen(&app, plan.jobs).await;

    let _replicas = killed_meanwhile(&app, plan, &healthy).await;
    let open = "select exists (select from aftercall.notifications
        where finished_at is null and endpoint_id <> all ($1))";
    eventually_at(LONG_WAIT, "the rest", async || {
        let open: bool =
            sqlx::query_scalar(open).bind(&dead).fetch_one(&app.db.pool).await.unwrap();
        (!open).then_some(())
    })
    .await;

    let jobs: Vec<Uuid> =
        sqlx::query_scalar("select job_id from aftercall.notifications where endpoint_id = $1")
            .bind(dead[0])
            .fetch_all(&app.db.pool)
            .await
            .unwrap();
    assert_eq!(jobs.len(), plan.jobs);
    let expected: HashSet<String> =
        jobs.iter().map(|id| format!("msg_{}_2", id.simple())).collect();
    for receiver in &healthy {
        let got = receiver.got();
        let ids: HashSet<String> = got.iter().map(|got| got.id().to_owned()).collect();
        assert_eq!(ids, expected);
    }
    plan.tell(seen(&healthy) - plan.healthy * plan.jobs);
    let states: Vec<String> = sqlx::query_scalar(
        "select distinct state from aftercall.notifications where endpoint_id <> all ($1)",
    )
    .bind(&dead)
    .fetch_all(&app.db.pool)
    .await
    .unwrap();
    assert_eq!(states, ["delivered"]);
    // Their first failures may come later than everything else.
    let of_dead = "select count(*) from aftercall.notifications n join aftercall.endpoints e on e.id = n.endpoint_id
        where e.failures > 0 and n.state in ('pending', 'delivering', 'exhausted')";
    eventually("failures of the dead", async || {
        let kept = usize::try_from(app.count(of_dead).await).unwrap();
        (kept == plan.dead * plan.jobs).then_some(())
    })
    .await;
}
