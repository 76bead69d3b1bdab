//! Paging through lists while everything changes.
use aftercall::jobs::{self, Channel, Completion};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{
    app::{RECORDING, TestApp},
    seed::seed,
};

/// Ids of all jobs of a listing, page by page.
async fn walk(app: &TestApp, listing: &str) -> Vec<Uuid> {
    let mut seen = Vec::new();
    let mut path = format!("/v1/jobs?limit=50&{listing}");
    loop {
        let answer = app.get(&path).await;
        let page = answer.json();
        let jobs = page["data"].as_array().unwrap_or_else(|| panic!("{path}: {page}")).iter();
        seen.extend(jobs.map(|job| job["id"].as_str().unwrap().parse::<Uuid>().unwrap()));
        if page["hasMore"] == false {
            return seen;
        }
        let link = answer.header("link").strip_prefix('<').unwrap();
        path = link.split_once('>').unwrap().0.to_owned();
    }
}

/// Creates a thousand jobs.
async fn insert(app: &TestApp) {
    let item = json!({ "contentUri": RECORDING, "encoding": "Wav", "tags": ["of-2-1"] });
    let body = json!({ "jobs": vec![item; 50] }).to_string();
    for batch in 0..20 {
        let key = format!("batch-{batch}");
        let request = app.request("POST", "/v1/jobs/batch").header("idempotency-key", key);
        assert_eq!(app.send(request, body.clone()).await.status, 200);
    }
}

/// Ends a hundred queued jobs: half are canceled, half completed.
async fn change(app: &TestApp, queued: &[Uuid]) {
    for pair in queued.chunks(2) {
        let path = format!("/v1/jobs/{}/cancel", pair[0]);
        assert_eq!(app.ask(app.request("POST", &path)).await.status, 200);
        let done = Completion {
            job_id: pair[1].into(),
            attempt: 1,
            via: Channel::Webhook,
            received_at: None,
        };
        let mut tx = app.announcer.begin(&app.db.pool).await.unwrap();
        jobs::complete(&mut tx, &[done]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn ids(db: &PgPool, query: &'static str) -> Vec<Uuid> {
    sqlx::query_scalar(query).fetch_all(db).await.unwrap()
}

#[track_caller]
fn assert_each_once(seen: &[Uuid], existing: &[Uuid]) {
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), seen.len(), "a job was repeated");
    let of_old: Vec<_> = seen.iter().filter(|id| existing.contains(id)).copied().collect();
    assert_eq!(of_old, existing);
}

#[tokio::test]
async fn neither_repeat_nor_skip_a_job_that_existed_throughout() {
    let app = TestApp::start().await;
    let db = &app.db.pool;
    seed(db, "app", 1000, 0).await;
    let oldest_first = ids(db, "select id from aftercall.jobs order by id").await;
    let newest_first: Vec<_> = oldest_first.iter().rev().copied().collect();
    let tagged =
        ids(db, "select id from aftercall.jobs where 'of-2-1' = any(tags) order by id desc").await;
    let completed = ids(
        db,
        "select id from aftercall.jobs where state = 'completed' order by finished_at desc, id desc",
    )
    .await;
    let queued = ids(db, "select id from aftercall.jobs where state = 'queued' order by id").await;
    assert_eq!((completed.len(), queued.len()), (800, 100));

    let walks = async {
        tokio::join!(
            walk(&app, "sort=createdAt"),
            walk(&app, "sort=-createdAt"),
            walk(&app, "tag=of-2-1"),
            walk(&app, "sort=-completedAt"),
        )
    };
    let ((up, down, by_tag, by_end), (), ()) =
        tokio::join!(walks, insert(&app), change(&app, &queued));

    assert_each_once(&up, &oldest_first);
    assert_each_once(&down, &newest_first);
    assert_each_once(&by_tag, &tagged);
    assert_each_once(&by_end, &completed);
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 2000);
}
