//! A recording of three hours with 12,000 utterances, queried in every way.
use serde_json::{Value, json};

use crate::support::app::TestApp;

const UTTERANCES: u32 = 12_000;
/// Seconds between the starts of two utterances: three hours in all.
const STEP: f64 = 0.9;
const NEEDLE: u32 = 7_777;

fn delivery() -> String {
    let speech = |n: u32| {
        let start = f64::from(n) * STEP;
        let text = if n == NEEDLE { "the turquoise walrus called" } else { "and so it went on" };
        let words: Vec<Value> = text
            .split(' ')
            .zip(0_u8..)
            .map(|(word, i)| {
                let at = start + f64::from(i) * 0.15;
                json!({ "word": word, "start": at, "end": at + 0.1 })
            })
            .collect();
        let emotion = if n.is_multiple_of(100) { "Anger" } else { "Neutral" };
        json!({
            "start": start, "end": start + 0.8, "text": text, "confidence": 0.9,
            "speakerId": (n / 3 % 2).to_string(), "wordTimings": words,
            "insights": [{ "name": "Emotion", "value": emotion, "confidence": 0.7 }],
        })
    };
    let utterances: Vec<Value> = (0..UTTERANCES).map(speech).collect();
    let summary = json!([{ "value": "It went on and on.", "start": 0, "end": 10_800 }]);
    json!({
        "status": "Success",
        "response": {
            "utteranceInsights": utterances,
            "speakerInsights": { "speakerCount": 2, "insights": [] },
            "conversationalInsights": [{ "name": "AbstractiveSummaryLong", "values": summary }],
        },
    })
    .to_string()
}

#[tokio::test]
async fn three_hours_are_served_paged_searched_and_exported() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let body = delivery();
    assert_eq!(app.deliver(&job.webhook, body).await.status, 200);
    let path = format!("/v1/jobs/{}", job.id);

    let result = app.get(&format!("{path}/result")).await.json();
    assert_eq!(result["utteranceInsights"].as_array().unwrap().len(), 12_000);

    let mut next = format!("{path}/utterances?limit=200");
    let mut seqs = Vec::new();
    loop {
        let page = app.get(&next).await.json();
        let rows = page["data"].as_array().unwrap();
        seqs.extend(rows.iter().map(|row| row["seq"].as_u64().unwrap()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        next = format!("{path}/utterances?limit=200&cursor={cursor}");
    }
    assert!(seqs.into_iter().eq(0..12_000));

    let found = app.get("/v1/search?q=%22turquoise%20walrus%22").await.json();
    let hits: Vec<_> = found["data"].as_array().unwrap().iter().map(|hit| &hit["seq"]).collect();
    assert_eq!(hits, [NEEDLE]);
    let found = app.get(&format!("{path}/utterances?q=walrus")).await.json();
    assert_eq!(found["data"][0]["seq"], NEEDLE);

    for format in ["json", "txt", "md", "srt", "vtt", "csv", "paragraphs"] {
        let transcript = app.get(&format!("{path}/transcript?format={format}")).await;
        assert_eq!(transcript.status, 200, "{format}");
        let text = String::from_utf8_lossy(&transcript.body);
        assert!(text.contains("turquoise walrus"), "{format}");
    }

    let insights = app.get(&format!("{path}/insights")).await.json();
    let evidence = insights["data"][0]["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 12_000);

    let shape = app.get(&format!("{path}/shape?bucket=3600")).await;
    assert_eq!(shape.status, 200);

    let export = app.get("/v1/exports/utterances.ndjson").await;
    let lines = export.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(lines, 12_000);
}
