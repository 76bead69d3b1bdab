//! Views for dashboards: their stable columns, and that they agree with the API and with the tables.
mod columns;
pub mod hours;
mod now;

use serde_json::Value;
use uuid::Uuid;

use crate::support::{app::TestApp, fixture};

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
