//! Retention: partitions ahead of time, and removal of expired rows.
mod answers;
mod commands;
mod interrupted;
mod load;
pub mod past;
mod rules;

use aftercall::{
    config::RetentionSettings,
    jobs::{Announcer, Token},
    retention::Retention,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{app::TestApp, db::TestDb, fixture};

const TABLES: [&str; 10] = [
    "job_events",
    "deliveries",
    "results",
    "utterances",
    "speakers",
    "speaker_insights",
    "questions",
    "conversation_insights",
    "conversations",
    "conversation_speakers",
];

async fn apply_retention(db: &TestDb, partitions_ahead: u32) {
    let settings = RetentionSettings { partitions_ahead, ..RetentionSettings::default() };
    let metrics = aftercall::metrics::Metrics::default();
    Retention {
        db: db.runtime.clone(),
        settings,
        media: None,
        announcer: Announcer::default(),
        metrics,
    }
    .apply()
    .await
    .unwrap();
}

/// Whether all tables have a partition for the month `ahead` months from now.
async fn has_month(db: &TestDb, ahead: i32) -> bool {
    let query = "select count(to_regclass('aftercall.' || name || to_char(
            date_trunc('month', now() at time zone 'UTC') + make_interval(months => $2),
            '_\"y\"YYYY\"m\"MM')))
        from unnest($1::text[]) name";
    let found: i64 =
        sqlx::query_scalar(query).bind(TABLES).bind(ahead).fetch_one(&db.pool).await.unwrap();
    assert!(found == 0 || found == 10, "{found} of 10 tables");
    found == 10
}

#[tokio::test]
async fn partitions_are_made_ahead() {
    let db = TestDb::new().await;
    assert!(has_month(&db, -1).await && has_month(&db, 3).await && !has_month(&db, 4).await);
    apply_retention(&db, 5).await;
    assert!(has_month(&db, 5).await && !has_month(&db, 6).await);
    apply_retention(&db, 5).await;
    apply_retention(&db, 1).await;
    assert!(has_month(&db, 5).await);
}

#[tokio::test]
async fn long_texts_of_all_partitions_are_compressed_alike() {
    let db = TestDb::new().await;
    apply_retention(&db, 5).await;
    let methods: Vec<String> = sqlx::query_scalar(
        "select distinct a.attcompression::text from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'aftercall'::regnamespace and c.relkind in ('r', 'p')
            and ((c.relname like 'results%' and a.attname = 'document')
                or (c.relname like 'deliveries%' and a.attname = 'body'))",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap();
    let of_server = "select 'lz4' = any(enumvals) from pg_settings
        where name = 'default_toast_compression'";
    let has_lz4: bool = sqlx::query_scalar(of_server).fetch_one(&db.pool).await.unwrap();
    assert_eq!(methods, [if has_lz4 { "l" } else { "" }]);
}

/// Those of the first migrations were created as partitions, later ones as tables that were attached.
#[tokio::test]
async fn all_partitions_of_a_table_are_alike() {
    let db = TestDb::new().await;
    apply_retention(&db, 5).await;
    let query = "
        with partition as (
            select parent, oid as id, replace(name, right(name, 8), '') as stem, name from aftercall.monthly_partitions
        ), trait as (
            select id, format('column %s %s %s %s %s %s %s %s', attname, format_type(atttypid, atttypmod), attnotnull,
                attstorage, attcompression, attgenerated, attstattarget, pg_get_expr(adbin, adrelid)) as text
            from partition
            join pg_attribute on attrelid = id and attnum > 0
            left join pg_attrdef on adrelid = oid and adnum = attnum
            union all
            select p.id, 'index ' || replace(substr(pg_get_indexdef(indexrelid), strpos(
                pg_get_indexdef(indexrelid), ' ON ')), p.name, p.stem)
            from partition p join pg_index on indrelid = p.id
            union all
            select p.id, format('constraint %s %s', case contype when 'c' then conname end, pg_get_constraintdef(c.oid))
            from partition p join pg_constraint c on conrelid = p.id
            union all
            select p.id, 'trigger ' || tgname from partition p join pg_trigger on tgrelid = p.id
        ), described as (
            select parent, name, string_agg(text, e'\\n' order by text) as text
            from partition join trait using (id) group by parent, name
        )
        select parent::text, count(distinct text), count(*) from described group by parent";
    let tables: Vec<(String, i64, i64)> = sqlx::query_as(query).fetch_all(&db.pool).await.unwrap();
    assert!(tables.len() >= 11, "{tables:?}");
    for (table, kinds, partitions) in tables {
        assert!(kinds == 1 && partitions >= 7, "{table}: {kinds} kinds of {partitions} partitions");
    }
}

#[tokio::test]
async fn a_partition_that_is_missing_is_made_again() {
    let db = TestDb::new().await;
    let drop = "do $$ begin execute format('drop table aftercall.%I',
        'results_' || to_char(now() at time zone 'UTC' + interval '1 month', '\"y\"YYYY\"m\"MM'));
        end $$";
    sqlx::query(drop).execute(&db.pool).await.unwrap();
    apply_retention(&db, 1).await;
    assert!(has_month(&db, 1).await);
}

#[tokio::test]
async fn a_job_of_next_month_is_stored_in_next_months_partitions() {
    let app = TestApp::start().await;
    let id: Uuid = sqlx::query_scalar(
        "select aftercall.uuid_floor(date_trunc('month', now(), 'UTC') + interval '1 month')",
    )
    .fetch_one(&app.db.pool)
    .await
    .unwrap();
    let token = Token::new(id.into(), Token::random_secret());
    app.about(
        id,
        "insert into aftercall.jobs (id, caller_id, request, state, due_at, deadline_at)
            select $1, id, '{}', 'submitted', now(), now() + interval '1 day' from aftercall.callers",
    )
    .await;
    sqlx::query("insert into aftercall.attempts (job_id, number, token_sha) values ($1, 1, $2)")
        .bind(id)
        .bind(token.sha())
        .execute(&app.db.pool)
        .await
        .unwrap();
    let webhook = format!("/webhooks/{}", token.reveal());
    assert_eq!(app.deliver(&webhook, fixture("seed/success.json")).await.status, 200);
    assert_eq!(app.job(id).await["state"], "completed");
    for query in [
        "select max(tableoid::regclass::text) from aftercall.results",
        "select max(tableoid::regclass::text) from aftercall.deliveries",
        "select max(tableoid::regclass::text) from aftercall.utterances",
        "select max(tableoid::regclass::text) from aftercall.job_events where kind = 'completed'",
    ] {
        let partition: String = sqlx::query_scalar(query).fetch_one(&app.db.pool).await.unwrap();
        let month: String = sqlx::query_scalar(
            "select to_char(now() at time zone 'UTC' + interval '1 month', '\"y\"YYYY\"m\"MM')",
        )
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
        assert!(partition.ends_with(&month), "{partition} {month}");
    }
}

#[tokio::test]
async fn idempotency_keys_are_forgotten_after_a_day() {
    let app = TestApp::start().await;
    for key in ["old", "new"] {
        let request = app.request("POST", "/v1/jobs").header("idempotency-key", key);
        let body = json!({ "contentUri": "https://media.example/a.wav", "encoding": "Wav" });
        assert_eq!(app.send(request, body.to_string()).await.status, 202);
    }
    sqlx::query(
        "update aftercall.idempotency_keys set created_at = now() - interval '25 h' where key = 'old'",
    )
    .execute(&app.db.pool)
    .await
    .unwrap();
    apply_retention(&app.db, 1).await;
    let kept: Vec<String> = sqlx::query_scalar("select key from aftercall.idempotency_keys")
        .fetch_all(&app.db.pool)
        .await
        .unwrap();
    assert_eq!(kept, ["new"]);
}
