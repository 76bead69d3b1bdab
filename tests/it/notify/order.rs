//! Messages of one job reach one endpoint in order, whatever workers, failures and new events do at the same time.
use std::{collections::HashMap, sync::Arc, time::Duration};

use aftercall::{
    endpoints::PauseRules,
    notifications::{self, ClaimLimits, Claimed, Finished, Subject, Verdict},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sqlx::PgPool;
use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{db::TestDb, soon};

const LEASE: Duration = Duration::from_mins(1);
const JOBS: i32 = 12;
const EVENTS: i32 = 6;
const ENDPOINTS: i32 = 3;

pub const RULES: PauseRules = PauseRules {
    after: Duration::from_hours(5 * 24),
    failures: 20,
    failures_over: Duration::from_hours(24),
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
    probe_after: Duration::from_hours(1),
};

/// What was sent to an endpoint about a job, in the order of the attempts: the version, and whether it was final.
type Log = Arc<Mutex<HashMap<(Uuid, Uuid), Vec<(i32, bool)>>>>;

#[tokio::test]
async fn messages_of_a_job_stay_in_order() {
    let db = TestDb::new().await;
    let jobs = world(&db.pool).await;
    let (log, seed) = (Log::default(), rand::random::<u64>());
    let happened = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for worker in 0..3 {
        let (pool, log, happened) = (db.runtime.clone(), log.clone(), happened.clone());
        let random = StdRng::seed_from_u64(seed.wrapping_add(worker));
        tasks.spawn(async move { work(&pool, &log, &happened, random).await });
    }
    let pool = db.runtime.clone();
    tasks.spawn(async move {
        happen(&pool, &jobs, StdRng::seed_from_u64(!seed)).await;
        happened.cancel();
    });
    soon("all messages", tasks.join_all()).await;

    let left: Vec<(String, i64)> =
        sqlx::query_as("select state, count(*) from aftercall.notifications group by 1 order by 1")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    let all: i64 = left.iter().map(|(_, count)| count).sum();
    assert_eq!(all, i64::from(JOBS * ENDPOINTS * EVENTS), "seed {seed}: {left:?}");
    assert!(left.iter().all(|(state, _)| state == "delivered" || state == "exhausted"), "{left:?}");
    for ((endpoint, job), sent) in log.lock().await.iter() {
        let mut next = 2;
        for (version, is_final) in sent {
            assert_eq!(*version, next, "{endpoint} {job}: {sent:?}");
            next += i32::from(*is_final);
        }
    }
}

/// A caller with endpoints that want every event, and its jobs.
async fn world(pool: &PgPool) -> Vec<Uuid> {
    let caller = Uuid::now_v7();
    sqlx::query("insert into aftercall.callers (id, name) values ($1, 'app')")
        .bind(caller)
        .execute(pool)
        .await
        .unwrap();
    for _ in 0..ENDPOINTS {
        super::add_endpoint(pool, caller, &["job.submitted", "job.completed"]).await;
    }
    let jobs: Vec<Uuid> = (0..JOBS).map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into aftercall.jobs (id, caller_id, request, due_at, deadline_at)
        select id, $2, '{}', now(), now() + interval '1 day' from unnest($1) as id",
    )
    .bind(&jobs)
    .bind(caller)
    .execute(pool)
    .await
    .unwrap();
    jobs
}

/// Events of all jobs, several jobs in one transaction.
async fn happen(pool: &PgPool, jobs: &[Uuid], mut random: StdRng) {
    for _ in 0..EVENTS {
        let mut rest = jobs;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(random.random_range(1..=rest.len()));
            rest = others;
            sqlx::query(
                "with job as (
                    update aftercall.jobs set version = version + 1 where id = any($1) returning id, version
                )
                insert into aftercall.job_events (job_id, seq, kind) select id, version, 'submitted' from job",
            )
            .bind(some)
            .execute(pool)
            .await
            .unwrap();
            tokio::task::yield_now().await;
        }
    }
}

/// Claims and finishes with random results until all events have happened and all messages are final.
async fn work(pool: &PgPool, log: &Log, happened: &CancellationToken, mut random: StdRng) {
    loop {
        let is_last = happened.is_cancelled();
        let claimed = claim(pool, random.random_range(1..6)).await;
        if claimed.is_empty() && is_last && !has_open(pool).await {
            return;
        }
        let mut done = Vec::new();
        for claimed in claimed {
            let verdict = match random.random_range(0..10) {
                0..3 => Verdict::Retry(Duration::ZERO),
                3 => Verdict::Exhausted,
                _ => Verdict::Delivered,
            };
            note(log, &claimed, verdict).await;
            done.push(finished(&claimed, verdict));
        }
        tokio::task::yield_now().await;
        let mut tx = pool.begin().await.unwrap();
        notifications::finish(&mut tx, &done, RULES).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn has_open(pool: &PgPool) -> bool {
    sqlx::query_scalar(
        "select exists (select from aftercall.notifications where finished_at is null)",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn claim(pool: &PgPool, total: usize) -> Vec<Claimed> {
    let mut tx = pool.begin().await.unwrap();
    if !notifications::reserve(&mut tx).await.unwrap() {
        return Vec::new();
    }
    let limits = ClaimLimits { total, doubtful: total, per_lane: 4 };
    let claimed = notifications::claim(&mut tx, limits, LEASE).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

async fn note(log: &Log, claimed: &Claimed, verdict: Verdict) {
    let Subject::Job { id, version, .. } = claimed.event.subject else { panic!("{claimed:?}") };
    let is_final = !matches!(verdict, Verdict::Retry(_));
    let mut log = log.lock().await;
    log.entry((claimed.endpoint_id, id.uuid())).or_default().push((version, is_final));
}

pub fn finished(claimed: &Claimed, verdict: Verdict) -> Finished {
    Finished {
        id: claimed.id,
        lease_id: claimed.lease_id,
        number: claimed.attempt,
        outcome: "answered",
        status: Some(200),
        latency: Duration::from_millis(1),
        answer: None,
        verdict,
        health: None,
    }
}
