//! Utterances by speaker, emotion, time and confidence.
use serde_json::{Value, json};
use uuid::Uuid;

use super::{completed, part};
use crate::support::app::TestApp;

/// Ten utterances of one second each, two of them simultaneous and one without duration.
async fn conversation(app: &TestApp) -> Uuid {
    let job = app.submitted().await;
    let said =
        |start: f64, end: f64, speaker: Option<&str>, emotion: &str, confidence: Option<f64>| {
            json!({
                "start": start, "end": end, "text": "…", "speakerId": speaker,
                "confidence": confidence,
                "insights": [{ "name": "Emotion", "value": emotion }],
            })
        };
    let utterances = [
        said(0.0, 1.0, Some("0"), "Joy", Some(0.9)),
        said(1.0, 2.0, Some("1"), "Anger", Some(0.5)),
        said(2.0, 3.0, Some("0"), "joy", Some(0.2)),
        said(2.5, 4.0, Some("a b"), "Neutral", None),
        said(4.0, 4.0, None, "Sadness", Some(1.0)),
        said(4.0, 5.0, Some("1"), "ANGER", Some(0.0)),
    ];
    let body = json!({ "status": "Success", "response": { "utteranceInsights": utterances } });
    assert_eq!(app.deliver(&job.webhook, body.to_string()).await.status, 200);
    job.id
}

async fn seqs(app: &TestApp, id: Uuid, query: &str) -> Vec<u64> {
    let page = part(app, id, &format!("utterances?{query}")).await;
    page["data"].as_array().unwrap().iter().map(|said| said["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn utterances_are_filtered() {
    let app = TestApp::start().await;
    let id = conversation(&app).await;
    let cases: [(&str, &[u64]); 22] = [
        ("", &[0, 1, 2, 3, 4, 5]),
        ("speaker=0", &[0, 2]),
        ("speaker=0&speaker=a+b", &[0, 2, 3]),
        ("speaker=9", &[]),
        ("speaker=%27%20or%20true--", &[]),
        ("emotion=joy", &[0, 2]),
        ("emotion=JOY&emotion=neutral", &[0, 2, 3]),
        ("emotion=%25", &[]),
        ("from=4", &[4, 5]),
        ("from=3.9", &[3, 4, 5]),
        ("from=5", &[]),
        ("to=1", &[0]),
        ("to=1.5", &[0, 1]),
        ("to=0", &[]),
        ("from=1&to=2.5", &[1, 2]),
        ("from=2.9&to=3", &[2, 3]),
        ("minConfidence=0.5", &[0, 1, 4]),
        ("minConfidence=0", &[0, 1, 2, 4, 5]),
        ("minConfidence=1", &[4]),
        ("speaker=1&emotion=anger&from=3", &[5]),
        ("speaker=0&emotion=anger", &[]),
        (
            "speaker=0&speaker=1&emotion=joy&emotion=anger&from=0.5&to=4.5&minConfidence=0.2",
            &[0, 1, 2],
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(seqs(&app, id, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn pages_keep_their_filters() {
    let app = TestApp::start().await;
    let id = conversation(&app).await;
    let filter = "speaker=0&speaker=1&limit=2&include=evidence&from=0.5";
    let path = format!("/v1/jobs/{id}/utterances?{filter}");
    let first = app.get(&path).await;
    let seq = |page: &Value, n: usize| page["data"][n]["seq"].as_u64().unwrap();
    assert_eq!((seq(&first.json(), 0), seq(&first.json(), 1)), (0, 1));
    let next = first.header("link").strip_prefix('<').unwrap().split_once('>').unwrap().0;
    let second = app.get(next).await;
    assert_eq!((seq(&second.json(), 0), seq(&second.json(), 1)), (2, 5));
    assert_eq!(second.json()["hasMore"], false);
    assert!(!second.headers.contains_key("link"));
    let cursor = first.json()["nextCursor"].as_str().unwrap().to_owned();
    for other in ["speaker=0&limit=2&include=evidence&from=0.5", "", "speaker=0&speaker=1&from=0.6"]
    {
        let path = format!("/v1/jobs/{id}/utterances?{other}&cursor={cursor}");
        app.get(&path).await.problem(400, "cursor-mismatch");
    }
}

#[tokio::test]
async fn words_are_told_when_asked_for() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let words = json!([
        { "word": "Thank", "start": 0.31, "end": 0.55 },
        { "word": "you", "start": 0.55, "end": 0.7 },
    ]);
    for query in ["include=words", "include=evidence&include=words"] {
        let page = part(&app, id, &format!("utterances?{query}")).await;
        assert_eq!(page["data"][0]["wordTimings"], words);
        assert!(page["data"][1].get("wordTimings").is_none());
    }
    assert!(part(&app, id, "utterances").await["data"][0].get("wordTimings").is_none());
}

#[tokio::test]
async fn wrong_filters_are_all_told() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    for (query, expected) in [
        (
            "from=-1&to=x&minConfidence=1.1&include=word&emotoin=joy",
            "from to minConfidence include emotoin",
        ),
        ("from=NaN&to=inf&minConfidence=nan", "from to minConfidence"),
        ("from=2&to=2", "to"),
        ("from=3&to=2", "to"),
        ("from=1&from=2", "from"),
        ("speaker=a%00", "speaker"),
        ("include=words,evidence", "include"),
    ] {
        let path = format!("/v1/jobs/{id}/utterances?{query}");
        let problem = app.get(&path).await.problem(400, "invalid-parameter");
        let faults = problem["errors"].as_array().unwrap().iter();
        let names: Vec<_> = faults.map(|it| it["parameter"].as_str().unwrap()).collect();
        assert_eq!(names.join(" "), expected, "{query}");
    }
}
