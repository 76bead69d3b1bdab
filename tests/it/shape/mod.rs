//! The shape of a conversation: stored and served figures against an independent count.
mod brute;
mod random;

use aftercall::{
    conversations,
    insights::{self, Analysis, DocumentOrigin, Prepared},
    jobs::{Announcer, JobId},
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use self::brute::{Run, Shape, SpeakerMeasures};
use crate::support::{
    app::TestApp,
    fixture,
    random::{Ground, runner},
};

/// Bucket size in seconds for the random cases.
const BUCKET: u32 = 5;

#[test]
fn stored_shapes_are_those_counted_millisecond_by_millisecond() {
    let ground = Ground::new();
    let run = |batch: Vec<Analysis>| ground.runtime.block_on(check(&ground, &batch));
    let batches = prop::collection::vec(random::analysis(), 1..4);
    runner(60, 2000).run(&batches, run).unwrap_or_else(|error| panic!("{error}"));
}

/// Stores a batch of results, then replaces them with other results.
async fn check(ground: &Ground, batch: &[Analysis]) -> TestCaseResult {
    let pool = &ground.db.pool;
    let prepared: Vec<Prepared> = batch.iter().cloned().map(Prepared::from).collect();
    let mut jobs = Vec::new();
    for _ in batch {
        jobs.push(submitted(pool, ground.caller).await);
    }
    let found = |shift: usize| {
        let origins = jobs.iter().map(|job_id| origin(*job_id));
        let results = (0..batch.len()).map(|n| &prepared[(n + shift) % batch.len()]);
        origins.zip(results).collect::<Vec<_>>()
    };
    let mut tx = pool.begin().await.unwrap();
    insights::store(&mut tx, &found(0)).await.unwrap();
    tx.commit().await.unwrap();
    for (job, analysis) in jobs.iter().zip(batch) {
        prop_assert_eq!(stored(pool, *job).await, Shape::of(analysis, BUCKET));
    }
    let mut tx = Announcer::default().begin(pool).await.unwrap();
    insights::replace(&mut tx, &found(1)).await.unwrap();
    tx.commit().await.unwrap();
    for (job, analysis) in jobs.iter().zip(batch.iter().cycle().skip(1)) {
        prop_assert_eq!(stored(pool, *job).await, Shape::of(analysis, BUCKET));
    }
    Ok(())
}

fn origin(job_id: JobId) -> DocumentOrigin<'static> {
    DocumentOrigin { job_id, provider_job_id: None, parser_version: 1 }
}

/// A job whose result can be stored.
async fn submitted(db: &PgPool, caller: Uuid) -> JobId {
    let id = JobId::generate();
    let insert = "insert into aftercall.jobs (id, caller_id, request, state, due_at, deadline_at)
        values ($1, $2, '{}', 'submitted', now(), now())";
    sqlx::query(insert).bind(id).bind(caller).execute(db).await.unwrap();
    id
}

type WholeRow = (i32, Vec<String>, Vec<i32>, Vec<i64>, Vec<String>, [i32; 4], [i64; 6]);

/// Everything stored about the shape of a job.
async fn stored(pool: &PgPool, job: JobId) -> Shape {
    let mut db = pool.acquire().await.unwrap();
    let whole = "select speaker_count, emotions, emotion_utterances, emotion_ms, insight_names,
            array[utterances, words, questions, interruptions],
            array[duration_ms, talk_ms, silence_ms, overlap_ms, longest_silence_ms,
                longest_monologue_ms]
        from aftercall.conversations where job_id = $1";
    let whole: WholeRow = sqlx::query_as(whole).bind(job).fetch_one(&mut *db).await.unwrap();
    let (speaker_count, emotions, emotion_utterances, emotion_ms, insight_names, counts, times) =
        whole;
    let emotion = emotions.into_iter().zip(emotion_utterances).zip(emotion_ms);
    let pace = "select words_per_minute from aftercall.conversations where job_id = $1";
    let buckets = conversations::buckets(&mut *db, job, BUCKET).await.unwrap();
    let runs = conversations::emotion_runs(&mut *db, job).await.unwrap();
    let speakers = speakers(&mut db, job).await;
    assert_eq!(usize::try_from(speaker_count).unwrap(), speakers.len());
    Shape {
        emotions: emotion.map(|((name, utterances), ms)| (name, utterances, ms)).collect(),
        insight_names,
        counts,
        times,
        words_per_minute: sqlx::query_scalar(pace).bind(job).fetch_one(&mut *db).await.unwrap(),
        speakers,
        talk: buckets
            .into_iter()
            .map(|row| ((row.bucket, row.speaker_id), ms(row.talk_seconds)))
            .collect(),
        runs: runs
            .into_iter()
            .map(|run| Run {
                speaker: run.speaker_id,
                emotion: run.emotion,
                start: ms(run.start_seconds),
                end: ms(run.end_seconds),
                utterances: run.utterances,
            })
            .collect(),
    }
}

type SpeakerRow = (String, [i32; 5], [i64; 2], Option<f64>, Option<f64>);

async fn speakers(db: &mut PgConnection, job: JobId) -> Vec<SpeakerMeasures> {
    let query = "select speaker_id,
            array[utterances, words, questions, interrupts, interrupted],
            array[talk_ms, longest_monologue_ms], talk_share, words_per_minute
        from aftercall.conversation_speakers where job_id = $1 order by speaker_id collate \"C\"";
    let rows: Vec<SpeakerRow> = sqlx::query_as(query).bind(job).fetch_all(db).await.unwrap();
    rows.into_iter()
        .map(|(id, counts, times, talk_share, words_per_minute)| SpeakerMeasures {
            id,
            counts,
            times,
            talk_share,
            words_per_minute,
        })
        .collect()
}

/// Converts to whole milliseconds.
fn ms(seconds: f64) -> i64 {
    let text = format!("{seconds:.3}");
    assert_eq!(text.parse::<f64>().unwrap().to_bits(), seconds.to_bits(), "{seconds}");
    text.replace('.', "").parse().unwrap()
}

/// A job completed with the result of 2023.
async fn completed(app: &TestApp) -> Uuid {
    let job = app.submitted().await;
    let body = fixture("delivery-2023.json").replace("@jobId", &job.provider_job_id);
    assert_eq!(app.deliver(&job.webhook, body).await.status, 200);
    job.id
}

#[tokio::test]
async fn a_shape_is_served_with_its_speakers_its_buckets_and_its_emotions() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let answer = app.get(&format!("/v1/jobs/{id}/shape?bucket=5")).await;
    assert_eq!(answer.header("cache-control"), "private, no-store");
    let expected = json!({
        "jobId": id, "durationSeconds": 11.02, "talkSeconds": 9.43, "silenceSeconds": 1.59,
        "overlapSeconds": 0.0, "longestSilenceSeconds": 0.9, "longestMonologueSeconds": 4.32,
        "utterances": 3, "words": 25, "wordsPerMinute": 159.1, "questions": 2, "interruptions": 0,
        "speakers": [
            {
                "speakerId": "0", "speaker": null, "utterances": 2, "words": 14, "wordsPerMinute": 164.4,
                "questions": 1, "talkSeconds": 5.11, "talkShare": 0.5419,
                "longestMonologueSeconds": 3.59, "interrupts": 0, "interrupted": 0,
            },
            {
                "speakerId": "1", "speaker": null, "utterances": 1, "words": 11, "wordsPerMinute": 152.8,
                "questions": 1, "talkSeconds": 4.32, "talkShare": 0.4581,
                "longestMonologueSeconds": 4.32, "interrupts": 0, "interrupted": 0,
            },
        ],
        "bucket": 5,
        "talk": [
            { "start": 0, "speakers": [
                { "speakerId": "0", "talkSeconds": 3.59 }, { "speakerId": "1", "talkSeconds": 0.2 },
            ] },
            { "start": 5, "speakers": [
                { "speakerId": "0", "talkSeconds": 0.5 }, { "speakerId": "1", "talkSeconds": 4.12 },
            ] },
            { "start": 10, "speakers": [{ "speakerId": "0", "talkSeconds": 1.02 }] },
        ],
        "emotionRuns": [
            { "speakerId": "0", "emotion": "Joy", "start": 0.31, "end": 3.9, "utterances": 1 },
            { "speakerId": "1", "emotion": "Sadness", "start": 4.8, "end": 9.12, "utterances": 1 },
        ],
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_shape_needs_a_result_and_a_bucket_that_fits() {
    let app = TestApp::start().await;
    let foreign = Uuid::now_v7();
    app.get(&format!("/v1/jobs/{foreign}/shape")).await.problem(404, "job-not-found");
    let id = completed(&app).await;
    for bucket in ["4", "3601", "-5", "7.5", "5&bucket=6"] {
        let refused = app.get(&format!("/v1/jobs/{id}/shape?bucket={bucket}")).await;
        let problem = refused.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "bucket");
    }
    let endless = app.submitted().await;
    let body = r#"{"status":"Success","response":{"utteranceInsights":[
        {"start":0,"end":9000000,"text":"so","speakerId":"0"}]}}"#;
    app.deliver(&endless.webhook, body).await;
    let path = format!("/v1/jobs/{}/shape", endless.id);
    let problem = app.get(&path).await.problem(400, "invalid-parameter");
    assert!(problem["detail"].as_str().unwrap().contains("900"), "{problem}");
    let open = app.submit().await;
    app.get(&format!("/v1/jobs/{open}/shape")).await.problem(404, "result-not-available");
    let whole = app.get(&format!("{path}?bucket=900")).await.json();
    assert_eq!(whole["talk"].as_array().unwrap().len(), 10_000);
    assert_eq!(whole["durationSeconds"], 9_000_000.0);
}

#[tokio::test]
async fn a_result_without_anything_has_a_shape() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.deliver(&job.webhook, r#"{"status":"Success","response":{}}"#).await;
    let shape = app.get(&format!("/v1/jobs/{}/shape", job.id)).await.json();
    assert_eq!((&shape["durationSeconds"], &shape["words"]), (&json!(0.0), &json!(0)));
    assert_eq!((&shape["speakers"], &shape["talk"]), (&json!([]), &json!([])));
    assert_eq!(shape["wordsPerMinute"], json!(null));
}
