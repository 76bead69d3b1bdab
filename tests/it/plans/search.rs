//! Search over so many utterances that the access path matters.
use aftercall::{
    callers::{self, KeyTerms},
    insights::search::{BEGIN, Match, Range, Search, SearchScope, UtteranceKey, Words, statements},
    jobs::{JobFilter, JobId},
    reads::Reads,
};
use serde_json::Value;
use sqlx::{PgPool, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::nodes;
use crate::support::db::TestDb;

/// Jobs of three callers in turn, each with ten utterances, spread over two months.
const JOBS: i32 = 4_500;

/// Every tenth utterance contains *often*, and so on. What occurs in every 60th also occurs in the
/// last one; *unicorn* occurs in the middle.
const SEED: &str = "
    with job as (
        insert into aftercall.jobs (id, caller_id, request, state, completed_via, deadline_at,
            finished_at, tags)
        select (left(aftercall.uuid_floor(at)::text, 14) || '7000-8000-'
                || lpad(to_hex(n), 12, '0'))::uuid,
            (array[$1, $2, $3]::uuid[])[1 + n % 3], '{\"languageCode\":\"en\"}', 'completed',
            'poll', now(), now(), array['t' || n % 7]
        from generate_series(1, $4) n
        cross join lateral (select now() - interval '30 days' * (1 - n / $4::float8) as at) a
        returning id, caller_id
    )
    insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text, emotion)
    select id, s, s, s + 1, concat('word',
            case when n % 10 = 0 then ' often' end, case when n % 60 = 0 then ' at times' end,
            case when n % 700 = 0 then ' seldom' end, case when n = 21995 then ' unicorn' end,
            case when n % 900 < 5 then ' often said' end),
        case when n % 4 = 0 then 'Joy' end
    from (select id, s, (row_number() over (order by id, s))::int as n
        from job cross join generate_series(0, 9) s) u";

/// The second caller owns every third job, or additionally those of the first caller.
async fn seeded(owns_most: bool) -> (TestDb, Uuid) {
    let db = TestDb::new().await;
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        callers::create(&db.pool, name, "test", KeyTerms::default()).await.unwrap();
        let id = "select id from aftercall.callers where name = $1";
        ids.push(sqlx::query_scalar::<_, Uuid>(id).bind(name).fetch_one(&db.pool).await.unwrap());
    }
    if owns_most {
        ids[0] = ids[1];
    }
    let seed = sqlx::query(SEED).bind(ids[0]).bind(ids[1]).bind(ids[2]).bind(JOBS);
    seed.execute(&db.pool).await.unwrap();
    sqlx::raw_sql("analyze aftercall.jobs; analyze aftercall.utterances")
        .execute(&db.pool)
        .await
        .unwrap();
    (db, ids[1])
}

/// All matches, found by a plain comparison without an index.
async fn compared(db: &PgPool, caller: Uuid, q: &str, scope: &SearchScope) -> Vec<UtteranceKey> {
    sqlx::query_as(
        "select u.job_id, u.seq from aftercall.utterances u join aftercall.jobs j on j.id = u.job_id
        where j.caller_id = $1
            and to_tsvector('english', u.text) @@ websearch_to_tsquery('english', $2)
            and j.tags @> $3 and ($4::text is null or u.emotion = $4)
        order by u.job_id desc, u.seq desc",
    )
    .bind(caller)
    .bind(q)
    .bind(&scope.jobs.tags)
    .bind(&scope.emotion)
    .fetch_all(db)
    .await
    .unwrap()
}

#[tokio::test]
async fn however_it_goes_about_it_a_search_finds_the_newest_matches() {
    finds_the_newest_matches(false).await;
}

#[tokio::test]
async fn it_does_so_for_a_caller_of_most_jobs() {
    finds_the_newest_matches(true).await;
}

async fn finds_the_newest_matches(owns_most: bool) {
    let (db, caller) = seeded(owns_most).await;
    let all = compared(&db.pool, caller, "word", &SearchScope::default()).await;
    assert_eq!(all.len(), if owns_most { 30_000 } else { 15_000 });
    let part = Range { from: Some(all[14_000]), before: Some(all[70]) };
    let ranges = [Range::default(), part, Range { from: None, ..part }];
    let tagged = JobFilter { tags: vec!["t3".to_owned()], ..JobFilter::default() };
    let scopes = [
        SearchScope::default(),
        SearchScope { jobs: tagged.clone(), ..SearchScope::default() },
        SearchScope { emotion: Some("Joy".to_owned()), ..SearchScope::default() },
    ];
    let reads = Reads::of_primary(db.pool.clone());
    for q in ["often", "times", "seldom", "unicorn", "never", "\"often said\"", "often -times"] {
        for scope in &scopes {
            let matches = compared(&db.pool, caller, q, scope).await;
            for range in ranges {
                let in_range = |key: &&UtteranceKey| {
                    range.from.is_none_or(|from| from <= **key)
                        && range.before.is_none_or(|before| **key < before)
                };
                for most in [3_u16, 51, 500] {
                    let expected: Vec<_> =
                        matches.iter().filter(in_range).take(most.into()).copied().collect();
                    let mut reading = reads.acquire().await.unwrap();
                    let search =
                        Search::begin(&mut reading, caller.into(), q, scope).await.unwrap();
                    let found = search.unwrap().newest(range, most.into()).await.unwrap();
                    let found: Vec<_> = found.into_iter().map(|found| found.key).collect();
                    assert_eq!(found, expected, "{q} {scope:?} {range:?} {most}");
                }
            }
        }
    }
}

/// The plan of a statement under the settings used for searches.
async fn plan(db: &PgPool, push: impl FnOnce(&mut QueryBuilder<Postgres>)) -> Value {
    let mut sql = QueryBuilder::new("explain (format json) ");
    push(&mut sql);
    let mut tx = db.begin_with(BEGIN).await.unwrap();
    let Json(plan) = sql.build_query_scalar().fetch_one(&mut *tx).await.unwrap();
    plan
}

/// Asserts that no node reads a table from end to end; returns the indexes used.
fn indexes(plan: &Value) -> Vec<&str> {
    let nodes = nodes(&plan[0]["Plan"]);
    for node in &nodes {
        assert_ne!(node["Node Type"], "Seq Scan", "{plan:#}");
    }
    nodes.iter().filter_map(|node| node.get("Index Name")?.as_str()).collect()
}

#[tokio::test]
async fn no_search_reads_a_table_from_end_to_end() {
    reads_no_table_from_end_to_end(false).await;
    reads_no_table_from_end_to_end(true).await;
}

async fn reads_no_table_from_end_to_end(owns_most: bool) {
    let (db, caller) = seeded(owns_most).await;
    let tagged = JobFilter { tags: vec!["t3".to_owned()], ..JobFilter::default() };
    let scopes = [
        SearchScope::default(),
        SearchScope { jobs: tagged, emotion: Some("Joy".to_owned()), ..SearchScope::default() },
    ];
    for q in ["often", "unicorn", "\"often said\" -times"] {
        let mut tx = db.pool.begin_with(BEGIN).await.unwrap();
        let words = Words::read(&mut tx, caller.into(), q).await.unwrap().unwrap();
        assert_eq!(words.owns_most, owns_most);
        for scope in &scopes {
            let read = plan(&db.pool, |sql| {
                statements::push_stride(sql, caller.into(), &words, scope, Range::default(), 2_000);
            });
            let read = read.await;
            let read = indexes(&read);
            assert!(read.iter().any(|name| name.starts_with("jobs_")), "{read:?}");
            assert!(read.iter().any(|name| name.ends_with("_pkey")), "{read:?}");
            assert!(!read.iter().any(|name| name.ends_with("_fts_idx")), "{read:?}");
            let looked_up = plan(&db.pool, |sql| {
                statements::push_indexed(sql, caller.into(), &words, scope, Range::default(), 500);
            });
            let looked_up = looked_up.await;
            let looked_up = indexes(&looked_up);
            assert!(looked_up.iter().any(|name| name.ends_with("_fts_idx")), "{looked_up:?}");
            let reads_jobs = looked_up.iter().any(|name| name.starts_with("jobs_"));
            assert_eq!(reads_jobs, !scope.jobs.tags.is_empty(), "{looked_up:?}");
        }
        let key = |seq| UtteranceKey { job_id: JobId::generate(), seq };
        let found: Vec<_> = (0..50).map(|seq| Match { key: key(seq), rank: 0.1 }).collect();
        let shown =
            plan(&db.pool, |sql| statements::push_hits(sql, caller.into(), &words, &found)).await;
        assert!(indexes(&shown).iter().any(|name| name.starts_with("utterances_")));
    }
}
