//! Statistics and shapes, and the work done for them while a result is stored.
use aftercall::{
    conversations,
    insights::{self, Analysis, DocumentOrigin, Prepared},
    jobs::{self, Announcer, Channel, Completion, JobId},
    stats::{
        self, Bucket, Dimension, GroupKey, Measure, StatsQuestion, StatsSelection, StatsSort,
        SuggestedField,
    },
};
use chrono::NaiveDate;
use sqlx::{Connection as _, PgTransaction};
use uuid::Uuid;

use super::{assert_selective, nodes, plan, scanned};
use crate::support::db::TestDb;

/// Fifty callers, the sums of two years for four of them, 3,000 waiting jobs, and 3,000 jobs whose results of ten
/// utterances are stored but not merged into the sums yet.
const SEED: &str = "
insert into aftercall.callers (id, name) select uuid_floor, 'c-' || n
from generate_series(1, 50) n, aftercall.uuid_floor(to_timestamp(n));
insert into aftercall.stats
select c.id, d.dimension, d.name, 'day', '2025-01-01'::date + day, value, language, '', 1, 0, 0, 0,
    1, 3, 0, 0, 2000, 1500, 500, 0, 60000
from (select id from aftercall.callers limit 4) c, generate_series(0, 729) day,
    (values ('all', '', ''), ('tag', '', 'a'), ('tag', '', 'b'), ('tag_detail', '', 'a'),
        ('insight', 'Topics', 'c'))
        as d (dimension, name, value),
    (values ('en-US'), ('de-DE')) as l (language);
insert into aftercall.jobs (id, caller_id, request, tags, state, due_at, deadline_at)
select (left(aftercall.uuid_floor(now())::text, 24) || lpad(n::text, 12, '0'))::uuid,
    aftercall.uuid_floor(to_timestamp(1 + n % 50)), '{}', '{a,b}', 'submitted', now(), now()
from generate_series(1, 6000) n;
create table found as select id from aftercall.jobs order by id limit 3000;
insert into aftercall.utterances
    (job_id, seq, start_seconds, end_seconds, text, speaker_id, emotion)
select id, n, n, n + 0.9, 'so it is', n % 2, 'Joy' from found, generate_series(0, 9) n;
insert into aftercall.speakers select id, n, 5, 15, 4.5 from found, generate_series(0, 1) n;
insert into aftercall.questions (job_id, seq, speaker_id, text) select id, 1, '0', 'so' from found;
insert into aftercall.conversation_insights (job_id, name, seq, value)
select id, 'Topics', n, 'parcel' || n from found, generate_series(0, 3) n;
insert into aftercall.speaker_insights (job_id, seq, speaker_id, name, value)
select id, 1, '0', 'Energy', '7' from found;
insert into aftercall.results (job_id, document, document_sha, parser_version, is_partial)
select id, '{}', sha256(''), 1, false from found;
insert into aftercall.conversations
select id, caller_id, created_at, null, null, tags, 2, '{Joy}', '{Energy,Topics}', '{10}', '{9000}', 10, 30,
    1, 0, 9900, 9000, 900, 0, 100, 900
from found join aftercall.jobs using (id);
insert into aftercall.conversation_speakers
select id, n, 5, 15, 1 - n, 4500, 0.5, 900, 0, 0 from found, generate_series(0, 1) n;
update aftercall.jobs set state = 'completed', completed_via = 'webhook', due_at = null,
    finished_at = now() where id in (select id from found);
analyze";

async fn seeded() -> TestDb {
    let db = TestDb::new().await;
    sqlx::raw_sql(SEED).execute(&db.pool).await.unwrap();
    db
}

async fn job(db: &TestDb, state: &str, n: i64) -> JobId {
    let query = "select id from aftercall.jobs where state = $1 order by id offset $2 limit 1";
    sqlx::query_scalar(query).bind(state).bind(n).fetch_one(&db.pool).await.unwrap()
}

fn question(dimension: Dimension, key: GroupKey) -> StatsQuestion {
    let name = if dimension == Dimension::Insight { "Topics" } else { "" };
    StatsQuestion {
        selection: StatsSelection {
            caller_id: Uuid::from_u128(1000 << 80).into(),
            dimension,
            name: name.to_owned(),
            value: None,
            language: None,
            audio_type: None,
            from: NaiveDate::from_ymd_opt(2026, 3, 15).unwrap(),
            to: NaiveDate::from_ymd_opt(2026, 4, 14).unwrap(),
        },
        key,
        bucket: None,
        measures: Measure::ALL.to_vec(),
        sort: StatsSort { by: Some(Measure::Jobs), is_descending: true },
        limit: Some(51),
    }
}

#[tokio::test]
async fn statistics_are_read_by_their_key() {
    let db = seeded().await;
    let tagged = StatsSelection {
        value: Some("a".to_owned()),
        language: Some("en-US".to_owned()),
        ..question(Dimension::Tag, GroupKey::Value).selection
    };
    for (question, groups) in [
        (question(Dimension::All, GroupKey::Nothing), 1),
        (question(Dimension::Tag, GroupKey::Value), 2),
        (question(Dimension::Insight, GroupKey::Value), 1),
        (question(Dimension::All, GroupKey::Time(Bucket::Week)), 6),
        (
            StatsQuestion {
                bucket: Some(Bucket::Day),
                ..question(Dimension::All, GroupKey::Language)
            },
            62,
        ),
        (StatsQuestion { selection: tagged, ..question(Dimension::Tag, GroupKey::AudioType) }, 1),
    ] {
        let mut tx = db.pool.begin().await.unwrap();
        assert_eq!(stats::answer(&mut tx, &question).await.unwrap().len(), groups, "{question:?}");
        assert_eq!(scanned(&mut tx).await, [""; 0], "{question:?}");
    }
}

#[tokio::test]
async fn changes_are_merged_by_their_key() {
    let db = seeded().await;
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(stats::merge(&mut *tx, 10).await.unwrap().taken, 10);
    assert_eq!(scanned(&mut tx).await, [""; 0]);
}

#[tokio::test]
async fn a_shape_is_read_by_the_id_of_its_job() {
    let db = seeded().await;
    let id = job(&db, "completed", 1234).await;
    let mut tx = db.pool.begin().await.unwrap();
    assert!(conversations::conversation(&mut *tx, id).await.unwrap().is_some());
    assert_eq!(conversations::speakers(&mut *tx, id).await.unwrap().len(), 2);
    assert_eq!(conversations::buckets(&mut *tx, id, 60).await.unwrap().len(), 2);
    assert_eq!(conversations::emotion_runs(&mut *tx, id).await.unwrap().len(), 2);
    assert_eq!(scanned(&mut tx).await, [""; 0]);
}

#[tokio::test]
async fn storing_a_result_reads_no_other_one() {
    let db = seeded().await;
    let prepared = Prepared::from(Analysis::default());
    // The first plans are custom plans; later ones are generic.
    for n in 0..12 {
        let (new, old) = (job(&db, "submitted", 7).await, job(&db, "completed", 100 * n).await);
        let origin = |job_id| DocumentOrigin { job_id, provider_job_id: None, parser_version: 1 };
        let mut tx = Announcer::default().begin(&db.pool).await.unwrap();
        insights::store(&mut tx, &[(origin(new), &prepared)]).await.unwrap();
        let completion =
            Completion { job_id: new, attempt: 1, via: Channel::Webhook, received_at: None };
        jobs::complete(&mut tx, &[completion]).await.unwrap();
        insights::replace(&mut tx, &[(origin(old), &prepared)]).await.unwrap();
        assert_eq!(scanned(&mut tx).await, [""; 0], "time {n}");
        tx.commit().await.unwrap();
    }
}

/// Many jobs wait, and Postgres's statistics do not know it yet.
const BURST: &str = "
update aftercall.jobs set state = 'completed', completed_via = 'webhook', due_at = null,
    finished_at = now();
vacuum analyze aftercall.jobs;
insert into aftercall.jobs (id, caller_id, request, state, due_at, deadline_at)
select (left(aftercall.uuid_floor(now())::text, 24) || lpad((6000 + n)::text, 12, '0'))::uuid,
    aftercall.uuid_floor(to_timestamp(1)), '{}', 'submitted', now(), now()
from generate_series(1, 3000) n";

#[tokio::test]
async fn completing_some_jobs_does_not_read_all_that_wait() {
    let db = seeded().await;
    for statement in BURST.split_inclusive(';') {
        sqlx::query(statement).execute(&db.pool).await.unwrap();
    }
    let waiting = "select id from aftercall.jobs where state = 'submitted' limit 100";
    let waiting: Vec<JobId> = sqlx::query_scalar(waiting).fetch_all(&db.pool).await.unwrap();
    for few in waiting.chunks_exact(10) {
        let done = |id: &JobId| Completion {
            job_id: *id,
            attempt: 1,
            via: Channel::Webhook,
            received_at: None,
        };
        let mut tx = Announcer::default().begin(&db.pool).await.unwrap();
        let before = fetched(&mut tx).await;
        jobs::lock(&mut tx, few).await.unwrap();
        jobs::complete(&mut tx, &few.iter().map(done).collect::<Vec<_>>()).await.unwrap();
        let read = fetched(&mut tx).await - before;
        assert!(read < 500, "{read}");
        tx.commit().await.unwrap();
    }
}

/// Jobs that this session has fetched through an index and not reported yet.
async fn fetched(tx: &mut PgTransaction<'_>) -> i64 {
    let read = "select idx_tup_fetch from pg_stat_xact_user_tables
        where relid = 'aftercall.jobs'::regclass";
    sqlx::query_scalar(read).fetch_one(&mut **tx).await.unwrap()
}

/// Jobs of one caller with ten utterances each, some of which are a batch of deliveries.
const SOME: &str = "
with job as (
    insert into aftercall.jobs (id, caller_id, request, state, due_at, deadline_at)
    select (left(aftercall.uuid_floor(now())::text, 24) || lpad(n::text, 12, '0'))::uuid, c.id,
        '{}', 'submitted', now(), now()
    from generate_series(1, 1000) n, aftercall.callers c returning id
), said as (
    insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text, speaker_id)
    select id, n, n, n + 0.9, 'so it is', n % 2 from job, generate_series(0, 9) n
)
select array_agg(id) from (select id from job limit 20) j";

#[tokio::test]
async fn what_was_planned_while_nothing_was_stored_does_not_read_all_later() {
    let db = TestDb::new().await;
    sqlx::query("insert into aftercall.callers (id, name) values (gen_random_uuid(), 'app')")
        .execute(&db.pool)
        .await
        .unwrap();
    sqlx::query("vacuum analyze").execute(&db.pool).await.unwrap();
    let mut session = db.pool.acquire().await.unwrap();
    let count = "select aftercall.count_jobs($1, array_fill('completed'::text, array[20]),
        array_fill(1, array[20]))";
    sqlx::query(count).bind(Vec::<Uuid>::new()).execute(&mut *session).await.unwrap();
    let batch: Vec<Uuid> = sqlx::query_scalar(SOME).fetch_one(&mut *session).await.unwrap();
    let read = "select sum(seq_tup_read)::bigint from pg_stat_xact_user_tables where schemaname = 'aftercall'";
    let mut tx = session.begin().await.unwrap();
    let before: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
    sqlx::query(count).bind(batch).execute(&mut *tx).await.unwrap();
    let after: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn suggestions_read_the_sums_of_one_caller() {
    let db = seeded().await;
    let caller_id: Uuid = sqlx::query_scalar("select caller_id from aftercall.stats limit 1")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    for field in [SuggestedField::Emotion, SuggestedField::Insight, SuggestedField::Language] {
        let plan = plan(&db.pool, stats::suggesting(field, caller_id.into(), "", 10)).await;
        assert_selective(&db.pool, &plan).await;
        let by = nodes(&plan).into_iter().filter_map(|node| node["Index Name"].as_str());
        assert!(by.into_iter().any(|index| index == "stats_pkey"), "{field:?}: {plan:#}");
    }
}
