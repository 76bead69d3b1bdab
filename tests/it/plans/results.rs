//! Utterances and insights of one job among many.
use aftercall::{
    insights::{self, UtteranceFilter},
    jobs::JobId,
};
use sqlx::PgPool;

use super::{assert_selective, plan};
use crate::support::db::TestDb;

/// Five thousand short calls, and one with 12,000 utterances and 400 insights; returns the ids of a
/// short one and of the long one.
async fn calls(db: &PgPool) -> (JobId, JobId) {
    let ids: Vec<JobId> = (0..5000).map(|_| JobId::generate()).collect();
    let long = JobId::generate();
    let utterances = "insert into aftercall.utterances
            (job_id, seq, start_seconds, end_seconds, text, confidence, speaker_id, emotion)
        select id, n, n * 0.9, n * 0.9 + 0.8, 'What is said in a call ' || n, 0.9, (n % 3)::text,
            case when n % 5 = 0 then 'Joy' else 'Neutral' end
        from unnest($1::uuid[]) id, generate_series(0, $2::int - 1) n";
    let insights = "insert into aftercall.conversation_insights
            (job_id, name, seq, value, start_seconds, end_seconds)
        select id, 'KeyPhrases', n, 'phrase', n * 25.0, n * 25.0 + 40 * (n % 9)
        from unnest($1::uuid[]) id, generate_series(0, $2::int - 1) n";
    for (statement, of_each, of_long) in [(utterances, 20, 12_000), (insights, 3, 400)] {
        for (ids, count) in [(&ids, of_each), (&vec![long], of_long)] {
            sqlx::query(statement).bind(ids).bind(count).execute(db).await.unwrap();
        }
    }
    let names = "insert into aftercall.speaker_names (job_id, speaker_id, name)
        select id, n::text, 'Somebody' from unnest($1::uuid[]) id, generate_series(0, 2) n";
    sqlx::query(names).bind([&ids[..], &[long]].concat()).execute(db).await.unwrap();
    sqlx::raw_sql("analyze").execute(db).await.unwrap();
    (ids[1000], long)
}

#[tokio::test]
async fn what_was_said_and_found_in_a_job_is_read_by_its_key() {
    let db = TestDb::new().await;
    let (short, long) = calls(&db.pool).await;
    let all = UtteranceFilter::default();
    let many = UtteranceFilter {
        speaker_ids: vec!["0".to_owned(), "1".to_owned()],
        emotions: vec!["joy".to_owned()],
        from: Some(60.0),
        to: Some(600.0),
        min_confidence: Some(0.5),
        said: Some("call".to_owned()),
        with_words: true,
        with_insights: true,
    };
    for id in [short, long] {
        let queries = [
            insights::select_utterances(id, &all, -1, 201),
            insights::select_utterances(id, &many, -1, 201),
            insights::select_conversation_insights(id, &[]),
            insights::select_conversation_insights(id, &["KeyPhrases".to_owned()]),
        ];
        for query in queries {
            assert_selective(&db.pool, &plan(&db.pool, query).await).await;
        }
    }
}
