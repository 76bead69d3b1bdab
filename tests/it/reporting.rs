//! Views for dashboards: their stable columns, and that they agree with the API.
use serde_json::Value;
use uuid::Uuid;

use crate::support::{app::TestApp, db::TestDb, fixture};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one line for each column")]
async fn views_keep_their_columns() {
    let db = TestDb::new().await;
    let query =
        "select format('%s.%s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'reporting'::regnamespace
        order by c.relname, a.attnum";
    let views: Vec<String> = sqlx::query_scalar(query).fetch_all(&db.pool).await.unwrap();
    insta::assert_snapshot!(views.join("\n"), @r"
    conversation_speakers_v1.job_id uuid
    conversation_speakers_v1.speaker_id text
    conversation_speakers_v1.utterances integer
    conversation_speakers_v1.words integer
    conversation_speakers_v1.words_per_minute double precision
    conversation_speakers_v1.questions integer
    conversation_speakers_v1.talk_ms bigint
    conversation_speakers_v1.talk_share double precision
    conversation_speakers_v1.longest_monologue_ms bigint
    conversation_speakers_v1.interrupts integer
    conversation_speakers_v1.interrupted integer
    conversation_stats_v1.caller text
    conversation_stats_v1.day date
    conversation_stats_v1.language text
    conversation_stats_v1.audio_type text
    conversation_stats_v1.completed bigint
    conversation_stats_v1.failed bigint
    conversation_stats_v1.timed_out bigint
    conversation_stats_v1.canceled bigint
    conversation_stats_v1.utterances bigint
    conversation_stats_v1.words bigint
    conversation_stats_v1.questions bigint
    conversation_stats_v1.interruptions bigint
    conversation_stats_v1.duration_ms bigint
    conversation_stats_v1.talk_ms bigint
    conversation_stats_v1.silence_ms bigint
    conversation_stats_v1.overlap_ms bigint
    conversation_stats_v1.turnaround_ms bigint
    conversations_v1.job_id uuid
    conversations_v1.caller text
    conversations_v1.created_at timestamp with time zone
    conversations_v1.language text
    conversations_v1.audio_type text
    conversations_v1.tags text[]
    conversations_v1.speaker_count integer
    conversations_v1.emotions text[]
    conversations_v1.insight_names text[]
    conversations_v1.utterances integer
    conversations_v1.words integer
    conversations_v1.words_per_minute double precision
    conversations_v1.questions integer
    conversations_v1.interruptions integer
    conversations_v1.duration_ms bigint
    conversations_v1.talk_ms bigint
    conversations_v1.silence_ms bigint
    conversations_v1.overlap_ms bigint
    conversations_v1.longest_silence_ms bigint
    conversations_v1.longest_monologue_ms bigint
    emotions_v1.job_id uuid
    emotions_v1.emotion text
    emotions_v1.utterances integer
    emotions_v1.talk_ms bigint
    ");
}

#[tokio::test]
async fn every_column_is_explained() {
    let db = TestDb::new().await;
    let query = "select c.relname || coalesce('.' || a.attname, '')
        from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'reporting'::regnamespace
            and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)";
    let silent: Vec<String> = sqlx::query_scalar(query).fetch_all(&db.pool).await.unwrap();
    assert_eq!(silent, [""; 0]);
}

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
