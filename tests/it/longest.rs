//! The longest valid value of every member at once, through the whole system.
use aftercall::{
    config::RetentionSettings, insights::search, jobs::Announcer, retention::Retention, stats,
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::support::app::{Submitted, TestApp, webhook_of};

/// `chars` four-byte characters that Postgres cannot compress; a different text for each `n`.
fn long(n: u32, chars: usize) -> String {
    let mut state = n.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // CJK unified ideographs, extension B: letters.
        char::from_u32(0x2_0000 + (state >> 12) % 0xA000).unwrap()
    };
    (0..chars).map(next).collect()
}

fn many(count: u32, chars: usize) -> Vec<String> {
    (0..count).map(|n| long(n, chars)).collect()
}

fn request() -> Value {
    let contexts: Vec<_> = (0..20).map(|_| json!({ "phrases": many(50, 1000) })).collect();
    // 50 members and, with quotes and commas, barely within 8 KiB.
    let metadata: serde_json::Map<_, _> =
        (0..50).map(|n| (long(n, 19), Value::from(long(n, 20)))).collect();
    json!({
        "contentUri": format!("https://media.example/{}", "a".repeat(8192 - 22)),
        "encoding": "Wav", "languageCode": "a".repeat(8) + &"-bcdefgh1".repeat(3),
        "sampleRate": 768_000, "source": long(1, 200), "audioType": "CallCenter",
        "separateSpeakerPerChannel": true, "speakerCount": i32::MAX, "speakerIds": many(100, 200),
        "enableVoiceActivityDetection": true, "insights": vec!["All"; 13],
        "speechContexts": contexts, "enablePunctuation": true, "enableSpeakerDiarization": true,
        "enableWordTimings": true, "externalId": long(2, 200), "tags": many(20, 64),
        "metadata": metadata,
    })
}

/// Every part of a result at its longest accepted length and, in the same places, beyond it.
fn result(job: &Submitted) -> Value {
    let speakers = many(3, 50);
    let utterances: Vec<_> = (0..40_u32)
        .map(|n| {
            let emotion =
                json!([{ "name": "Emotion", "value": long(n, if n < 20 { 80 } else { 9000 }) }]);
            let speaker = if n == 0 { long(9, 3000) } else { speakers[n as usize % 3].clone() };
            json!({ "start": n, "end": n + 1, "text": format!("refund {}", long(n, if n == 1 { 60_000 } else { 200 })),
                "speakerId": speaker, "confidence": 1, "insights": emotion,
                "wordTimings": [{ "word": long(n, 5000), "start": n, "end": n }] })
        })
        .collect();
    let named = |name: String, value: String| {
        json!({ "name": name, "values": [{ "value": value, "start": 0, "end": 9_999_999,
            "speakerId": speakers[0], (long(5, 5000)): long(6, 5000) }] })
    };
    let conversational = [
        named("KeyPhrases".to_owned(), long(3, 80)),
        named("Topics".to_owned(), long(3, 100_000)),
        named(long(4, 50), long(3, 80)),
        named(long(4, 5000), long(3, 80)),
    ];
    let of_speakers: Vec<_> = ["Pace".to_owned(), long(7, 50), long(7, 5000)]
        .into_iter()
        .map(|name| json!({ "name": name, "values": [
            { "speakerId": speakers[0], "value": long(8, 5000), "questions": [{ "text": long(8, 5000) }] },
            { "speakerId": long(8, 5000), "value": "1" },
        ] }))
        .collect();
    json!({
        "jobId": job.provider_job_id, "status": "Success", "creationTime": long(1, 5000),
        (long(5, 5000)): { (long(6, 5000)): long(7, 5000) },
        "response": {
            "utteranceInsights": utterances, "conversationalInsights": conversational,
            "speakerInsights": { "speakerCount": i32::MAX, "insights": of_speakers },
            (long(5, 5000)): long(6, 5000),
        },
    })
}

/// A job with the longest value of everything, and its result.
async fn completed(app: &TestApp) -> Submitted {
    let key = "k".repeat(255);
    let post = app.request("POST", "/v1/jobs").header("idempotency-key", key);
    let answer = app.send(post, request().to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:.500}", format!("{answer:?}"));
    let id = answer.id();
    assert_eq!(app.dispatcher.drain().await, 1);
    let webhook = webhook_of(app.submissions().await.last().unwrap());
    let query = "select provider_job_id from aftercall.attempts where job_id = $1";
    let provider_job_id = sqlx::query_scalar(query).bind(id).fetch_one(&app.db.pool).await.unwrap();
    let job = Submitted { id, webhook, provider_job_id };
    assert_eq!(app.deliver(&job.webhook, result(&job).to_string()).await.status, 200);
    assert_eq!(app.delivery_outcomes(id).await, ["accepted"]);
    assert_eq!(app.job(id).await["state"], "completed");
    job
}

async fn name_the_speakers(app: &TestApp, id: Uuid) {
    let path = format!("/v1/jobs/{id}/speakers");
    let speakers = app.get(&path).await.json();
    let speakers = speakers["data"].as_array().unwrap();
    assert_eq!(speakers.len(), 3);
    let names: serde_json::Map<_, _> = speakers
        .iter()
        .map(|it| (it["speakerId"].as_str().unwrap().to_owned(), Value::from(long(3, 200))))
        .collect();
    let answer = app.send(app.request("PUT", &path), Value::Object(names).to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

fn with(path: &str, name: &str, value: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("/v1/{path}{}", query.append_pair(name, value).finish())
}

#[tokio::test]
async fn the_longest_of_everything_goes_through_the_whole_system() {
    let app = TestApp::start().await;
    let job = completed(&app).await;
    name_the_speakers(&app, job.id).await;
    let request = request();
    let language = request["languageCode"].as_str().unwrap();
    let of_this = format!("jobs/{}", job.id);
    for path in [
        "/v1/jobs".to_owned(),
        with("jobs?", "externalId", &long(2, 200)),
        with("jobs?", "tag", &long(19, 64)),
        with("jobs?", "language", language),
        with("jobs?", "hasEmotion", &long(5, 80)),
        with("jobs?", "hasInsight", &long(4, 50)),
        "/v1/search?q=refund&sort=relevance".to_owned(),
        with("search?q=refund&", "speaker", &long(3, 200)),
        with("search?q=refund&", "emotion", &long(3, 80)),
        with("search?q=refund&", "language", language),
        "/v1/exports/jobs.ndjson".to_owned(),
        "/v1/exports/utterances.ndjson".to_owned(),
        format!("/v1/{of_this}/result"),
        format!("/v1/{of_this}/utterances?limit=200"),
        format!("/v1/{of_this}/insights"),
        format!("/v1/{of_this}/shape"),
        format!("/v1/{of_this}/timeline"),
        format!("/v1/{of_this}/transcript?format=srt"),
    ] {
        let answer = app.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", &path[..path.len().min(60)]);
        assert!(answer.body.len() > 500, "{}", &path[..path.len().min(60)]);
    }
    background(&app).await;
    for dimension in ["language", "tag", "emotion", "audioType", "insight&insight=KeyPhrases"] {
        let stats =
            app.get(&format!("/v1/stats/jobs?groupBy={dimension}&measures=completed")).await;
        assert_eq!(stats.json()["data"][0]["measures"], json!({ "completed": 1 }), "{dimension}");
    }
}

/// All background work can process it.
async fn background(app: &TestApp) {
    let db = &app.db.pool;
    let merged = stats::merge(db, 100).await.unwrap();
    assert_eq!(merged, stats::Merged { taken: 1, refused: 0 });
    let settings = RetentionSettings { partitions_ahead: 1, ..RetentionSettings::default() };
    let metrics = aftercall::metrics::Metrics::default();
    Retention { db: db.clone(), settings, media: None, announcer: Announcer::default(), metrics }
        .apply()
        .await
        .unwrap();
    search::flush_index(db).await.unwrap();
    app.recorder.write().await;
    assert_eq!(
        app.count("select count(*) from aftercall.contract_drift where kind = 'unknown_insight'")
            .await,
        2
    );
    app.reconciler.round().await.unwrap();
}
