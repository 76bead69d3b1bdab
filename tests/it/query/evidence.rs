//! Which utterances a conversational insight is based on, and the reverse.
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{completed, part};
use crate::support::app::TestApp;

type Span = (Option<f64>, Option<f64>);

async fn job_with(app: &TestApp, utterances: &[Span], insights: &[Span]) -> Uuid {
    let timed = |(start, end): &Span, mut value: Value| {
        for (name, time) in [("start", start), ("end", end)] {
            if let Some(time) = time {
                value[name] = json!(time);
            }
        }
        value
    };
    let utterances: Vec<_> =
        utterances.iter().map(|span| timed(span, json!({ "text": "…" }))).collect();
    let values: Vec<_> = insights.iter().map(|span| timed(span, json!({ "value": "…" }))).collect();
    let body = json!({ "status": "Success", "response": {
        "utteranceInsights": utterances,
        "conversationalInsights": [{ "name": "Topics", "values": values }],
    }});
    let job = app.submitted().await;
    assert_eq!(app.deliver(&job.webhook, body.to_string()).await.status, 200);
    job.id
}

fn numbers(list: &Value) -> Vec<usize> {
    let list = list.as_array().unwrap().iter();
    list.map(|number| usize::try_from(number.as_u64().unwrap()).unwrap()).collect()
}

/// The evidence of each insight.
async fn evidence(app: &TestApp, id: Uuid) -> Vec<Vec<usize>> {
    let insights = part(app, id, "insights").await;
    let insights = insights["data"].as_array().unwrap().iter();
    insights.map(|insight| numbers(&insight["evidence"])).collect()
}

#[tokio::test]
async fn evidence_is_what_has_time_in_common() {
    let app = TestApp::start().await;
    let said = |start: f64, end: f64| (Some(start), Some(end));
    let utterances = [said(0.0, 2.0), said(2.0, 4.0), said(3.0, 3.0), said(3.5, 9.0)];
    let cases: [(Span, &[usize]); 12] = [
        (said(0.0, 9.0), &[0, 1, 2, 3]),
        (said(0.5, 1.0), &[0]),
        (said(1.0, 2.0), &[0]),
        (said(1.0, 2.1), &[0, 1]),
        (said(2.0, 2.0), &[1]),
        (said(3.0, 3.0), &[1, 2]),
        (said(3.0, 3.5), &[1, 2]),
        (said(2.0, 3.0), &[1]),
        (said(9.0, 20.0), &[]),
        ((Some(3.7), None), &[1, 3]),
        ((None, Some(1.5)), &[0]),
        ((None, None), &[]),
    ];
    let spans = cases.map(|(span, _)| span);
    let id = job_with(&app, &utterances, &spans).await;
    let found = evidence(&app, id).await;
    for ((span, expected), found) in cases.iter().zip(found) {
        assert_eq!(found, *expected, "{span:?}");
    }
}

#[tokio::test]
async fn evidence_is_told_from_both_ends() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let phrases = part(&app, id, "insights?name=KeyPhrases&name=Tasks").await;
    let phrases = phrases["data"].as_array().unwrap().iter();
    let phrases: Vec<_> = phrases
        .map(|it| (it["name"].clone(), it["seq"].clone(), numbers(&it["evidence"])))
        .collect();
    let expected =
        [("KeyPhrases", 0, 1), ("KeyPhrases", 1, 1), ("KeyPhrases", 2, 2), ("Tasks", 0, 2)];
    let expected = expected.map(|(name, seq, on)| (json!(name), json!(seq), vec![on]));
    assert_eq!(phrases, expected);
    let utterances = part(&app, id, "utterances?include=evidence").await;
    let named = |name: &str, seq: i32| json!({ "name": name, "seq": seq });
    assert_eq!(
        utterances["data"][1]["insights"],
        json!([
            named("AbstractiveSummaryLong", 0),
            named("CallScore", 0),
            named("ExtractiveSummary", 0),
            named("KeyPhrases", 0),
            named("KeyPhrases", 1),
        ])
    );
    assert!(part(&app, id, "utterances").await["data"][1].get("insights").is_none());
}

/// Times on a grid, so that many coincide.
fn conversation() -> impl Strategy<Value = (Vec<Span>, Vec<Span>)> {
    let time = || (0..40_u8).prop_map(|half| f64::from(half) / 2.0);
    let utterance = (time(), 0..9_u8)
        .prop_map(|(start, length)| (Some(start), Some(start + f64::from(length * length) / 4.0)));
    let insight =
        (proptest::option::weighted(0.9, time()), proptest::option::weighted(0.8, 0..30_u8))
            .prop_map(|(start, length)| match (start, length) {
                (Some(start), Some(length)) => (Some(start), Some(start + f64::from(length) / 2.0)),
                (start, length) => (start, length.map(f64::from)),
            });
    (proptest::collection::vec(utterance, 0..40), proptest::collection::vec(insight, 1..30))
}

fn have_time_in_common(a: Span, b: Span) -> bool {
    let whole = |(start, end): Span| Some((start.or(end)?, end.or(start)?));
    let (Some(a), Some(b)) = (whole(a), whole(b)) else { return false };
    (a.0 < b.1 && b.0 < a.1) || a.0.total_cmp(&b.0).is_eq()
}

#[tokio::test]
async fn evidence_agrees_with_a_comparison_of_each_with_each() {
    let app = TestApp::start().await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let (utterances, insights) = conversation().new_tree(&mut runner).unwrap().current();
        let id = job_with(&app, &utterances, &insights).await;
        let found = evidence(&app, id).await;
        assert_eq!(found.len(), insights.len());
        for (insight, found) in insights.iter().zip(&found) {
            let expected: Vec<_> = (0..utterances.len())
                .filter(|seq| have_time_in_common(*insight, utterances[*seq]))
                .collect();
            assert_eq!(*found, expected, "{insight:?} {utterances:?}");
        }
        let said = part(&app, id, "utterances?include=evidence&limit=200").await;
        for (seq, said) in said["data"].as_array().unwrap().iter().enumerate() {
            let on = said["insights"].as_array().unwrap().iter();
            let on: Vec<_> = on.map(|it| it["seq"].as_u64().unwrap()).collect();
            let expected: Vec<_> =
                (0..).zip(&found).filter(|(_, on)| on.contains(&seq)).map(|(n, _)| n).collect();
            assert_eq!(on, expected, "{seq}");
        }
    }
}
