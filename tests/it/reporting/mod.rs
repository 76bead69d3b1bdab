//! Views for dashboards: their stable columns, and that they agree with the API and with the tables.
mod columns;
pub mod hours;
mod now;

use aftercall::callers::{self, KeyTerms};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{app::TestApp, db::TestDb, fixture, seed::seed};

async fn rows(app: &TestApp, query: &'static str) -> Vec<Value> {
    sqlx::query_scalar(query).fetch_all(&app.db.pool).await.unwrap()
}

/// The API returns seconds; dashboards have milliseconds.
fn seconds(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap() / 1000.0
}

#[tokio::test]
async fn views_and_the_api_tell_the_same_numbers() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let body = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    assert_eq!(app.deliver(&job.webhook, body).await.status, 200);
    let shape = app.get(&format!("/v1/jobs/{}/shape", job.id)).await.json();
    let stats = app.get("/v1/stats/jobs?groupBy=day").await.json();
    let stats = &stats["data"][0]["measures"];

    let whole = &rows(&app, "select to_jsonb(v) from reporting.conversations_v1 v").await[0];
    let speakers =
        "select to_jsonb(v) from reporting.conversation_speakers_v1 v order by speaker_id";
    let speakers = rows(&app, speakers).await;
    let daily = &rows(&app, "select to_jsonb(v) from reporting.conversation_stats_v1 v").await[0];
    let emotions = rows(&app, "select to_jsonb(v) from reporting.emotions_v1 v order by 1").await;

    assert_eq!((&whole["job_id"], &whole["caller"]), (&job.id.to_string().into(), &"app".into()));
    let times = [
        ("duration_ms", "durationSeconds"),
        ("talk_ms", "talkSeconds"),
        ("silence_ms", "silenceSeconds"),
        ("overlap_ms", "overlapSeconds"),
    ];
    for (column, member) in times {
        assert_eq!(shape[member], seconds(whole, column), "{column}");
        assert_eq!(stats[member], seconds(daily, column), "{column}");
    }
    for name in ["words", "utterances", "questions", "interruptions"] {
        assert_eq!((&shape[name], &stats[name]), (&whole[name], &daily[name]), "{name}");
    }
    assert_eq!(shape["wordsPerMinute"], whole["words_per_minute"]);
    assert_eq!(stats["turnaroundSeconds"], seconds(daily, "turnaround_ms"));
    for (row, speaker) in speakers.iter().zip(shape["speakers"].as_array().unwrap()) {
        assert_eq!(speaker["speakerId"], row["speaker_id"]);
        assert_eq!(speaker["talkSeconds"], seconds(row, "talk_ms"));
        assert_eq!(speaker["talkShare"], row["talk_share"]);
        assert_eq!(speaker["wordsPerMinute"], row["words_per_minute"]);
    }
    assert_eq!((speakers.len(), emotions.len()), (2, 2));
    let read = |row: &Value| row["job_id"].as_str().unwrap().parse::<Uuid>().unwrap();
    assert!(emotions.iter().all(|row| read(row) == job.id && row["utterances"] == 1));
}

/// The view contains the query of `aftercall.blame`, which its readers may not run.
#[tokio::test]
async fn a_job_has_the_same_parts_in_the_view_as_in_the_function() {
    let db = TestDb::new().await;
    callers::create(&db.pool, "app", "test", KeyTerms::default()).await.unwrap();
    seed(&db.pool, "app", 2000, 0).await;
    // Attempts in any order of moments around the life of their job, each of which may be missing.
    let attempts = "
        insert into aftercall.attempts (job_id, number, token_sha, outcome, created_at, answered_at, given_up_at)
        select j.id, number, sha256(j.id::text::bytea),
            (array['open', 'accepted', 'unknown', 'broken', 'refused'])[1 + floor(random() * 5)::integer],
            j.created_at + random() * interval '70 s',
            case when random() < 0.8 then j.created_at + random() * interval '90 s' end,
            case when random() < 0.4 then j.created_at + random() * interval '90 s' end
        from aftercall.jobs j, generate_series(2, 3) number";
    let arrivals = "
        update aftercall.jobs set result_received_at = created_at + random() * interval '70 s'
        where state = 'completed' and random() < 0.8";
    let differences = "
        select count(*) filter (where (v.queued_ms, v.submitting_ms, v.upstream_ms, v.commit_ms)
                is distinct from (b.queued_ms, b.submitting_ms, b.upstream_ms, b.commit_ms)),
            count(distinct (b.submitting_ms, b.upstream_ms, b.commit_ms)),
            count(*) filter (where v.queued_ms + v.submitting_ms + v.upstream_ms + v.commit_ms <> v.total_ms)
        from aftercall.jobs j
        join reporting.jobs_v1 v on v.job_id = j.id
        cross join lateral aftercall.blame_ms(j.id, j.created_at, j.finished_at, j.result_received_at) b
        where j.finished_at is not null";
    for statement in [attempts, arrivals] {
        sqlx::query(statement).execute(&db.pool).await.unwrap();
    }
    let (different, distinct, off): (i64, i64, i64) =
        sqlx::query_as(differences).fetch_one(&db.pool).await.unwrap();
    assert_eq!((different, off), (0, 0));
    assert!(distinct > 1000, "all jobs are alike: {distinct}");
}
