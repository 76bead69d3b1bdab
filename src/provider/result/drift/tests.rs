//! What counts as drift, and how much of it is reported.
use serde_json::json;

use super::*;
use crate::provider::result::{parse, tests::enveloped};

/// Must never be reported.
const CANARY: &str = "canary 4711";

fn drift(body: &Value) -> Vec<Finding> {
    parse(body.to_string().as_bytes()).map_or_else(|why| why.drift(), |message| message.drift)
}

/// Findings of a success with that response, as kind, path and name.
fn found(response: Value) -> Vec<(Kind, String, String)> {
    let mut body = json!({ "status": "Success" });
    body["response"] = response;
    let findings = drift(&body);
    assert!(!format!("{findings:?}").contains(CANARY), "{findings:?}");
    findings.into_iter().map(|found| (found.kind, found.path, found.name)).collect()
}

fn expected(all: &[(Kind, &str, &str)]) -> Vec<(Kind, String, String)> {
    let owned =
        |(kind, path, name): &(Kind, &str, &str)| (*kind, (*path).to_owned(), (*name).to_owned());
    all.iter().map(owned).collect()
}

#[test]
fn what_the_provider_is_known_to_send_is_no_drift() {
    for name in ["delivery-2023.json", "seed/success.json", "seed/failure.json"] {
        let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let body = std::fs::read_to_string(path).unwrap();
        assert_eq!(parse(body.as_bytes()).unwrap().drift, [], "{name}");
    }
    assert_eq!(drift(&enveloped()), []);
    assert_eq!(drift(&json!({ "status": "InProgress", "jobId": "j", "response": null })), []);
    assert_eq!(drift(&json!({ "status": "Fail" })), []);
}

#[test]
fn unknown_insights_are_named_and_sampled_as_a_whole() {
    let mood = json!({ "name": "Mood", "values": [{ "speakerId": "0", "score": CANARY }] });
    let response = json!({
        "utteranceInsights": [{ "start": 0, "end": 1, "text": CANARY,
                                "insights": [{ "name": "Sarcasm", "value": CANARY }] }],
        "speakerInsights": { "insights": [mood] },
        "conversationalInsights": [{ "name": "CallOutcome", "values": [{ "value": CANARY }] }],
    });
    let unknown = Kind::UnknownInsight;
    let names = expected(&[
        (unknown, "/response/utteranceInsights/*/insights/*", "Sarcasm"),
        (unknown, "/response/speakerInsights/insights/*", "Mood"),
        (unknown, "/response/conversationalInsights/*", "CallOutcome"),
    ]);
    assert_eq!(found(response.clone()), names);
    let sample = json!({ "name": "string",
                         "values": [{ "speakerId": "string", "score": "string" }] });
    let findings = drift(&json!({ "status": "Success", "response": response }));
    assert_eq!(findings[1].sample, sample);
}

#[test]
fn unknown_members_are_found_wherever_there_are_members() {
    let pace = json!({ "name": "Pace", "unit": CANARY,
                       "values": [{ "speakerId": "0", "value": "slow", "trend": CANARY }] });
    let word = json!({ "word": "a", "start": 0, "end": 1, "phonemes": [CANARY] });
    let response = json!({
        "utteranceInsights": [{ "start": 0, "end": 1, "text": "", "intent": CANARY,
            "wordTimings": [word, word],
            "insights": [{ "name": "Emotion", "value": "Joy", "valence": CANARY }] }],
        "speakerInsights": { "speakers": CANARY, "insights": [pace] },
        "conversationalInsights": [{ "name": "Tasks", "values": [{ "due": CANARY }] }],
        "language": CANARY,
    });
    let utterance = "/response/utteranceInsights/*";
    let paths = [
        (utterance, "intent"),
        (&format!("{utterance}/wordTimings/*"), "phonemes"),
        (&format!("{utterance}/insights/Emotion"), "valence"),
        ("/response/speakerInsights", "speakers"),
        ("/response/speakerInsights/insights/Pace", "unit"),
        ("/response/speakerInsights/insights/Pace/values/*", "trend"),
        ("/response/conversationalInsights/Tasks/values/*", "due"),
        ("/response", "language"),
    ];
    let all = paths.map(|(path, name)| (Kind::UnknownMember, path, name));
    assert_eq!(found(response), expected(&all));
    let failure = json!({ "status": "Fail", "traceId": CANARY,
                          "response": { "errors": [{ "errorCode": "CAI-101", "hint": CANARY }] } });
    let findings = drift(&failure);
    let named: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.name.as_str())).collect();
    assert_eq!(named, [("", "traceId"), ("/response/errors/*", "hint")]);
}

#[test]
fn other_types_are_found_also_where_the_reader_mends_them() {
    let energy = json!({ "name": "Energy", "values": [{ "speakerId": 0, "value": "71.5" }] });
    let response = json!({
        "utteranceInsights": [{ "start": "0.5", "end": 1, "text": null, "wordTimings": CANARY },
                              { "start": "1.5", "end": true, "text": "", "insights": [] }],
        "speakerInsights": { "speakerCount": "2", "insights": [energy, { "name": 5 }, 6] },
        "conversationalInsights": { "name": "Topics" },
    });
    let energy = "/response/speakerInsights/insights/Energy/values/*";
    let all = [
        ("/response/utteranceInsights/*/start", "string"),
        ("/response/utteranceInsights/*/text", "null"),
        ("/response/utteranceInsights/*/wordTimings", "string"),
        ("/response/utteranceInsights/*/end", "boolean"),
        ("/response/speakerInsights/speakerCount", "string"),
        (&format!("{energy}/speakerId"), "number"),
        (&format!("{energy}/value"), "string"),
        ("/response/speakerInsights/insights/*/name", "number"),
        ("/response/speakerInsights/insights/*", "number"),
        ("/response/conversationalInsights", "object"),
    ];
    let all = all.map(|(path, name)| (Kind::UnexpectedType, path, name));
    assert_eq!(found(response), expected(&all));
}

#[test]
fn texts_outside_of_a_closed_list_are_found_and_not_told() {
    let response = json!({
        "utteranceInsights": [{ "start": 0, "end": 1, "text": "",
                                "insights": [{ "name": "Emotion", "value": CANARY }] }],
        "speakerInsights": { "insights": [
            { "name": "Pace", "values": [{ "speakerId": "0", "value": CANARY }] }] },
    });
    let all = [
        "/response/utteranceInsights/*/insights/Emotion/value",
        "/response/speakerInsights/insights/Pace/values/*/value",
    ];
    assert_eq!(found(response), expected(&all.map(|path| (Kind::UnknownValue, path, ""))));
    for (body, path) in [
        (json!({ "status": CANARY }), "/status"),
        (json!({ "status": "Success", "response": [CANARY] }), "/response"),
        (json!([CANARY]), ""),
    ] {
        let findings = drift(&body);
        assert_eq!((findings.len(), findings[0].path.as_str()), (1, path));
    }
}

#[test]
fn nothing_grows_with_what_is_sent() {
    let long = "n".repeat(LONGEST_NAME + 1);
    for name in [long.as_str(), CANARY, "x\0", "n12345", "a/b", "ö"] {
        let found = found(json!({ name: 1 }));
        assert_eq!(found, expected(&[(Kind::UnknownMember, "/response", UNNAMED)]));
    }
    let many: Map<String, Value> =
        (0..1000_u32).map(|n| (format!("n{n}"), json!([[[[[{ "deep": n }]]]]]))).collect();
    let nested: Value = (0..100).fold(json!(1), |inner, _| json!({ "in": inner, "ni": [1, 2] }));
    let body = json!({ "status": "Success", "wide": many, "deep": nested, "response": many });
    let findings = drift(&body);
    assert_eq!(findings.len(), MOST_FINDINGS + 1);
    assert_eq!(findings.last(), Some(&Finding::other()));
    for finding in &findings {
        assert!(finding.sample.to_string().len() < 1000, "{}", finding.sample);
    }
}
