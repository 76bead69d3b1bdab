//! In whatever order transactions commit, each event is sent once, in its job's order, and a stream can be resumed
//! after any of them.
use std::collections::BTreeSet;

use aftercall::{
    events::{self, EventScope, Point, Snapshot},
    jobs::JobId,
};
use proptest::prelude::*;
use sqlx::{Connection as _, PgConnection, PgPool};
use uuid::Uuid;

use super::change;
use crate::support::app::TestApp;

const CONNECTIONS: usize = 4;
const JOBS: usize = 3;
/// Small, so that missed events take several pages.
const PAGE: i64 = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A transaction changes a job; it is started if necessary.
    Change {
        connection: usize,
        job: usize,
    },
    End {
        connection: usize,
        commits: bool,
    },
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..CONNECTIONS, 0..JOBS).prop_map(|(connection, job)| Step::Change { connection, job }),
        2 => (0..CONNECTIONS, prop::bool::weighted(0.8))
            .prop_map(|(connection, commits)| Step::End { connection, commits }),
        2 => Just(Step::Look),
    ];
    prop::collection::vec(step, 1..60)
}

/// An event by job and number.
type Name = (JobId, i32);

struct World {
    db: PgPool,
    jobs: Vec<Uuid>,
    connections: Vec<PgConnection>,
    /// The connection that holds each job's row lock.
    held: [Option<usize>; JOBS],
    seen: Snapshot,
    told: Vec<(Name, Point)>,
}

impl World {
    async fn new(app: &TestApp) -> Self {
        let mut jobs = Vec::new();
        for _ in 0..JOBS {
            jobs.push(app.submit().await);
        }
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(PgConnection::connect_with(&app.db.connect_options()).await.unwrap());
        }
        let db = app.db.pool.clone();
        let seen = events::snapshot(&db).await.unwrap();
        Self { db, jobs, connections, held: [None; JOBS], seen, told: Vec::new() }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Change { connection, job } => {
                // A second transaction would wait for the first.
                if self.held[job].is_some_and(|holder| holder != connection) {
                    return;
                }
                if !self.held.contains(&Some(connection)) {
                    self.run(connection, "begin").await;
                }
                self.held[job] = Some(connection);
                change(&mut self.connections[connection], self.jobs[job]).await;
            }
            Step::End { connection, commits } => {
                if self.held.contains(&Some(connection)) {
                    self.run(connection, if commits { "commit" } else { "rollback" }).await;
                    let held = self.held.iter_mut().filter(|holder| **holder == Some(connection));
                    held.for_each(|holder| *holder = None);
                }
            }
            Step::Look => self.look().await,
        }
    }

    async fn run(&mut self, connection: usize, statement: &'static str) {
        sqlx::query(statement).execute(&mut self.connections[connection]).await.unwrap();
    }

    async fn look(&mut self) {
        let (until, events) = events::since(&self.db, &self.seen, 1000).await.unwrap();
        let since = std::mem::replace(&mut self.seen, until.clone());
        self.told.extend(events.into_iter().map(|event| {
            let (since, until) = (since.clone(), until.clone());
            let point = Point { since, until, position: event.position };
            ((event.job_id, event.seq), point)
        }));
    }

    /// The events that a stream resumed at `point` gets now.
    async fn told_from(&self, whose: EventScope, point: &Point) -> Vec<Name> {
        let now = Point { since: point.until.clone(), until: self.seen.clone(), position: 0 };
        let mut told = Vec::new();
        for mut point in [point.clone(), now] {
            while let page = events::missed(&self.db, whose, &point, PAGE).await.unwrap()
                && let Some(last) = page.last()
            {
                point.position = last.position;
                told.extend(page.iter().map(|event| (event.job_id, event.seq)));
            }
        }
        told
    }
}

fn assert_in_order(told: &[Name]) {
    let mut last = std::collections::HashMap::new();
    for (job_id, seq) in told {
        let before = last.insert(job_id, seq);
        assert!(before.is_none_or(|before| before < seq), "{told:?}");
    }
}

async fn check(app: &TestApp, steps: &[Step]) {
    let mut world = World::new(app).await;
    let start = Point::at(world.seen.clone());
    for step in steps {
        world.step(*step).await;
    }
    for connection in 0..CONNECTIONS {
        world.step(Step::End { connection, commits: true }).await;
    }
    world.look().await;

    let committed: Vec<Name> = sqlx::query_as(
        "select job_id, seq from aftercall.job_events where job_id = any($1) and seq > 1",
    )
    .bind(&world.jobs)
    .fetch_all(&world.db)
    .await
    .unwrap();
    let names: Vec<Name> = world.told.iter().map(|(name, _)| *name).collect();
    let unique = |names: &[Name]| -> BTreeSet<Name> { names.iter().copied().collect() };
    assert_eq!(names.len(), committed.len(), "{names:?}");
    assert_eq!(unique(&names), unique(&committed));
    assert_in_order(&names);

    let caller: Uuid = sqlx::query_scalar("select caller_id from aftercall.jobs where id = $1")
        .bind(world.jobs[0])
        .fetch_one(&world.db)
        .await
        .unwrap();
    let whose = EventScope { caller_id: caller.into(), job_id: None };
    let points = [&start].into_iter().chain(world.told.iter().map(|(_, point)| point));
    for (n, point) in points.enumerate() {
        let rest = world.told_from(whose, point).await;
        assert_eq!(rest.len(), names.len() - n, "{rest:?} after {n} of {names:?}");
        assert_eq!(unique(&rest), unique(&names[n..]));
        assert_in_order(&rest);
    }
}

#[test]
fn every_event_is_told_once_whatever_order_transactions_commit_in() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let app = runtime.block_on(TestApp::start());
    let cases = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) };
    proptest!(cases, |(steps in steps())| runtime.block_on(check(&app, &steps)));
    runtime.block_on(async move { drop(app) });
}

#[tokio::test]
async fn an_event_that_commits_after_a_later_one_still_comes() {
    let app = TestApp::start().await;
    let steps = [
        Step::Change { connection: 0, job: 0 },
        Step::Change { connection: 1, job: 1 },
        Step::End { connection: 1, commits: true },
        Step::Look,
        Step::Change { connection: 2, job: 2 },
        Step::Look,
        Step::End { connection: 0, commits: true },
        Step::Look,
        Step::End { connection: 2, commits: false },
    ];
    check(&app, &steps).await;
}

#[tokio::test]
async fn events_of_another_cluster_count_as_told() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    // As restored from a dump of a busy cluster.
    app.about(id, "update aftercall.job_events set xid = '9000000000' where job_id = $1").await;
    let seen = events::snapshot(&app.db.pool).await.unwrap();
    let new = async |seen: &Snapshot| events::since(&app.db.pool, seen, 10).await.unwrap().1.len();
    assert_eq!(new(&seen).await, 1);
    assert_eq!(events::adopt_foreign_xids(&app.db.pool).await.unwrap(), 1);
    assert_eq!(events::adopt_foreign_xids(&app.db.pool).await.unwrap(), 0);
    assert_eq!(new(&seen).await, 0);
    change(&mut app.db.pool.acquire().await.unwrap(), id).await;
    assert_eq!(new(&seen).await, 1);
    assert_eq!(app.timeline(id).await, ["queued", "delivery"]);
}
