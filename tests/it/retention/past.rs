//! Jobs that ended long ago: made by the service, then moved into the past with all of their rows.
use std::collections::BTreeMap;

use aftercall::{
    config::RetentionSettings,
    jobs::Announcer,
    metrics::Metrics,
    retention::{Applied, Kind, Retention},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::{app::TestApp, db::TestDb, fixture};

/// Every kind that has rows of its own about a job.
pub const PARTS: [Kind; 4] = [Kind::Deliveries, Kind::Results, Kind::Timeline, Kind::Contents];

/// Keeps everything, except for what a test sets.
pub fn settings(adjust: impl FnOnce(&mut RetentionSettings)) -> RetentionSettings {
    let mut settings = RetentionSettings { partitions_ahead: 1, ..RetentionSettings::default() };
    adjust(&mut settings);
    settings
}

pub fn retention(db: &TestDb, adjust: impl FnOnce(&mut RetentionSettings)) -> Retention {
    Retention {
        db: db.runtime.clone(),
        settings: settings(adjust),
        media: None,
        announcer: Announcer::default(),
        metrics: Metrics::default(),
    }
}

/// Applies retention until nothing is left to do.
pub async fn apply(db: &TestDb, adjust: impl FnOnce(&mut RetentionSettings)) -> Applied {
    let applied = retention(db, adjust).apply().await.unwrap();
    assert!(!applied.is_cut_short, "{applied:?}");
    applied
}

/// A completed job with a row in each table of results, moved so far into the past.
pub async fn completed(app: &TestApp, days: i32) -> Uuid {
    let body = json!({
        "contentUri": "https://media.example/calls/42.wav", "encoding": "Wav", "externalId": "call",
        "tags": ["past"],
    });
    let id = app.post("/v1/jobs", &body).await.id();
    let job = app.dispatched(id).await;
    let result = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    assert_eq!(app.deliver(&job.webhook, result).await.status, 200);
    let name = app.request("PUT", &format!("/v1/jobs/{id}/speakers"));
    let named = app.send(name, json!({ "0": "Rachel" }).to_string()).await;
    assert_eq!(named.status, 200, "{named:?}");
    moved(app, id, days).await
}

/// A failed job whose recording was uploaded.
pub async fn failed(app: &TestApp, days: i32) -> Uuid {
    let body = json!({ "content": "UklGRg==", "encoding": "Wav" });
    let id = app.post("/v1/jobs", &body).await.id();
    let job = app.dispatched(id).await;
    assert_eq!(app.deliver(&job.webhook, fixture("seed/failure.json")).await.status, 200);
    assert_eq!(app.job(id).await["state"], "failed");
    moved(app, id, days).await
}

/// Gives the job the id and the times that it would have if it had been made so many days earlier; returns the id.
pub async fn moved(app: &TestApp, id: Uuid, days: i32) -> Uuid {
    if days == 0 {
        return id;
    }
    let mut tx = app.db.pool.begin().await.unwrap();
    let count = "select aftercall.count_jobs(array[id], array[state], array[$2]) from aftercall.jobs where id = $1";
    sqlx::query(count).bind(id).bind(-1).execute(&mut *tx).await.unwrap();
    let past: Uuid = sqlx::query_scalar(
        "insert into aftercall.jobs (id, caller_id, external_id, tags, metadata, request, state, version,
            completed_via, error, created_at, deadline_at, submitted_at, finished_at)
        select overlay(id::text placing left(
                aftercall.uuid_floor(aftercall.uuid_time(id) - make_interval(days => $2))::text, 13)
                from 1 for 13)::uuid,
            caller_id, external_id, tags, metadata, request, state, version, completed_via, error,
            created_at - make_interval(days => $2), deadline_at - make_interval(days => $2),
            submitted_at - make_interval(days => $2), finished_at - make_interval(days => $2)
        from aftercall.jobs where id = $1 returning id",
    )
    .bind(id)
    .bind(days)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let months = sqlx::query("select aftercall.ensure_partitions_of(array[$1])").bind(past);
    months.execute(&mut *tx).await.unwrap();
    for table in tables().filter(|table| *table != "jobs") {
        let statement = match table {
            "job_tags" => {
                "delete from aftercall.job_tags where job_id = $1 and $2 is not null".to_owned()
            }
            table => format!("update aftercall.{table} set job_id = $2 where job_id = $1"),
        };
        let moved = sqlx::query(AssertSqlSafe(statement)).bind(id).bind(past);
        moved.execute(&mut *tx).await.unwrap();
    }
    let conversation =
        "update aftercall.conversations set created_at = created_at - make_interval(days => $2)
        where job_id = $1";
    sqlx::query(conversation).bind(past).bind(days).execute(&mut *tx).await.unwrap();
    sqlx::query("delete from aftercall.jobs where id = $1")
        .bind(id)
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query(count).bind(past).bind(1).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    past
}

/// The tables whose rows name their job. Recordings are not about one, and an attempt to notify names its notification.
fn tables() -> impl Iterator<Item = &'static str> {
    let all = Kind::ALL.into_iter().flat_map(Kind::tables).copied();
    all.filter(|table| !matches!(*table, "media" | "media_peaks" | "notification_attempts"))
}

/// How many rows each table has about the job.
pub async fn rows(db: &TestDb, id: Uuid) -> BTreeMap<&'static str, i64> {
    let mut rows = BTreeMap::new();
    for table in tables() {
        let column = if table == "jobs" { "id" } else { "job_id" };
        let count = format!("select count(*) from aftercall.{table} where {column} = $1");
        let count = sqlx::query_scalar(AssertSqlSafe(count)).bind(id);
        rows.insert(table, count.fetch_one(&db.pool).await.unwrap());
    }
    rows
}

/// The same without the tables of these kinds.
pub async fn rows_except(db: &TestDb, id: Uuid, kinds: &[Kind]) -> BTreeMap<&'static str, i64> {
    let mut rows = rows(db, id).await;
    rows.retain(|table, _| !kinds.contains(&Kind::of_table(table).unwrap().0));
    rows
}

/// A digest of every table in the schema, and the names of all partitions.
pub async fn contents(db: &TestDb) -> BTreeMap<String, String> {
    let tables = "select c.relname::text from pg_class c
        where c.relnamespace = 'aftercall'::regnamespace and c.relkind = 'r' order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&db.pool).await.unwrap();
    let mut contents = BTreeMap::new();
    for table in tables {
        let digest = format!(
            "select coalesce(md5(string_agg(t::text, ' ' order by t::text)), '') from aftercall.\"{table}\" t"
        );
        let digest = sqlx::query_scalar(AssertSqlSafe(digest)).fetch_one(&db.pool).await.unwrap();
        contents.insert(table, digest);
    }
    contents
}

/// Sums of the statistics by dimension, for all days.
pub async fn sums(db: &TestDb) -> Value {
    let query = "select coalesce(json_object_agg(dimension, completed), '{}') from (
        select dimension, sum(completed) as completed from aftercall.exact_stats
        where grain = 'day' group by dimension having sum(abs(completed)) > 0) s";
    sqlx::query_scalar(query).fetch_one(&db.pool).await.unwrap()
}
