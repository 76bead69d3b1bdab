//! The parser with valid and partly valid bodies. All payloads are made up.
use serde_json::{Map, Value, json};

use super::read::MOST_ISSUES;
use super::*;
use crate::insights::Issue;

/// What services sent in 2022: no envelope beyond the status.
pub(super) fn bare() -> Value {
    json!({
        "status": "Success",
        "response": {
            "utteranceInsights": [
                { "start": 0.4, "end": 3.1, "text": "Thanks for holding.", "confidence": 0.91,
                  "speakerId": "0",
                  "insights": [{ "name": "Emotion", "value": "Trust", "confidence": 0.6 }] },
                { "start": 3.3, "end": 5.0, "text": "Where is my parcel?", "speakerId": "1" },
            ],
            "speakerInsights": { "speakerCount": 2, "insights": [
                { "name": "Energy", "values": [{ "speakerId": "0", "value": 71.25 }] },
                { "name": "TalkToListenRatio", "values": [{ "speakerId": "0", "value": "61:39" }] },
                { "name": "QuestionsAsked", "values": [{ "speakerId": "1", "value": 1,
                    "questions": [{ "text": "Where is my parcel?", "start": 3.3, "end": 5.0 }] }] },
            ]},
            "conversationalInsights": [
                { "name": "KeyPhrases", "values": [
                    { "start": 4.1, "end": 5.0, "value": "parcel", "confidence": 0.8 }] },
                { "name": "Topics", "values": [] },
            ],
        },
    })
}

/// What services have sent since 2023.
pub(super) fn enveloped() -> Value {
    let mut body = bare();
    let top = body.as_object_mut().unwrap();
    for (name, value) in [
        ("jobId", "7f1c2a90-1111-11ef-9a3b-0242ac120002"),
        ("api", "/ai/insights/v1/async/analyze-interaction"),
        ("creationTime", "2025-03-04T09:10:11.250Z"),
        ("completionTime", "2025-03-04T09:10:31.000Z"),
        ("expirationTime", "2025-03-11T09:10:11.250Z"),
    ] {
        top.insert(name.into(), value.into());
    }
    body
}

/// The result object of an analysis.
pub(super) fn document(analysis: &Analysis) -> Value {
    let members = analysis.document.iter();
    let read = |member: &Member| serde_json::from_str::<Value>(&member.json).unwrap();
    members.map(|member| (member.name.clone(), read(member))).collect::<Map<_, _>>().into()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn message(body: &Value) -> Message {
    parse(body.to_string().as_bytes()).unwrap()
}

pub(super) fn success(message: Message) -> Analysis {
    match message.analysis_status {
        AnalysisStatus::Success(analysis) => *analysis,
        other => panic!("expected a success, found {other:?}"),
    }
}

/// The analysis of a success with this `response`.
fn analysed(response: Value) -> Analysis {
    let mut body = json!({ "status": "Success" });
    body["response"] = response;
    success(message(&body))
}

fn found(issues: &[Issue]) -> Vec<(&str, &str)> {
    issues.iter().map(|issue| (issue.pointer.as_str(), issue.code.as_str())).collect()
}

#[test]
fn a_bare_success_of_2022_becomes_rows() {
    let message = message(&bare());
    assert_eq!(message.provider_job_id, None);
    let analysis = success(message);
    assert_eq!(analysis.issues, []);
    assert_eq!(document(&analysis), bare()["response"]);
    assert_eq!(analysis.speaker_count, Some(2));
    let first = &analysis.utterances[0];
    assert_eq!((first.seq, first.start, first.end), (0, 0.4, 3.1));
    assert_eq!(first.emotion.as_deref(), Some("Trust"));
    assert_eq!(first.emotion_confidence, Some(0.6));
    assert_eq!(analysis.utterances[1].speaker_id.as_deref(), Some("1"));
    let numbers: Vec<_> = analysis
        .speaker_insights
        .iter()
        .map(|insight| (insight.name.as_str(), insight.value.as_str(), insight.number))
        .collect();
    let expected = [
        ("Energy", "71.25", Some(71.25)),
        ("TalkToListenRatio", "61:39", Some(61.0)),
        ("QuestionsAsked", "1", Some(1.0)),
    ];
    assert_eq!(numbers, expected);
    assert_eq!(analysis.questions[0].start, Some(3.3));
    assert_eq!(analysis.conversation_insights.len(), 1);
}

#[test]
fn an_envelope_of_2023_names_its_job_and_times() {
    let message = message(&enveloped());
    assert_eq!(message.provider_job_id.unwrap(), "7f1c2a90-1111-11ef-9a3b-0242ac120002");
    let times = [message.creation_time, message.completion_time, message.expiration_time];
    let times = times.map(|time| time.unwrap().timestamp_millis());
    assert_eq!(times[1] - times[0], 19_750);
    assert_eq!(times[2] - times[0], 7 * 24 * 3600 * 1000);
}

#[test]
fn status_alone_decides_what_a_body_is() {
    let error = json!({ "errorCode": "CAI-105", "message": "no sound", "parameterName": "x" });
    let failed =
        json!({ "status": "Fail", "response": { "errors": [error], "utteranceInsights": [] } });
    let AnalysisStatus::Fail(errors) = message(&failed).analysis_status else {
        panic!("should have failed")
    };
    assert_eq!((errors[0].code.as_str(), errors[0].message.as_str()), ("CAI-105", "no sound"));
    assert_eq!(
        message(&json!({ "status": "Fail" })).analysis_status,
        AnalysisStatus::Fail(Vec::new())
    );
    let running = json!({ "status": "InProgress", "jobId": "j", "response": null });
    assert_eq!(message(&running).analysis_status, AnalysisStatus::InProgress);
    let odd = json!({ "status": "Success", "response": { "errors": [error] } });
    assert!(matches!(message(&odd).analysis_status, AnalysisStatus::Success(_)));
}

#[test]
fn what_is_no_message_says_why() {
    let why = |body: &[u8]| parse(body).unwrap_err();
    assert_eq!(why(b""), Unreadable::Empty);
    assert_eq!(why(b" \r\n"), Unreadable::Empty);
    assert_eq!(why(br#"{"status": "Succ"#), Unreadable::Truncated);
    assert_eq!(why(b"{\"status\":\n  x}"), Unreadable::NotJson { at: 13 });
    assert_eq!(why(b"<html>"), Unreadable::NotJson { at: 0 });
    assert_eq!(why(b"[]"), Unreadable::NotAnObject);
    assert_eq!(why(b"{}"), Unreadable::StatusMissing);
    assert_eq!(why(br#"{"status": "Completed"}"#), Unreadable::StatusUnknown);
    assert_eq!(why(br#"{"status": 1}"#), Unreadable::StatusUnknown);
    assert_eq!(why(br#"{"status": "Success"}"#), Unreadable::ResponseMissing);
    assert_eq!(why(br#"{"status": "Success", "response": []}"#), Unreadable::ResponseNotAnObject);
    assert_eq!(why(&vec![0xFF; 200_000]), Unreadable::BeyondRepair);
    let deep =
        format!(r#"{{"status": "Success", "response": {}{}}}"#, "[".repeat(500), "]".repeat(500));
    assert_eq!(why(deep.as_bytes()), Unreadable::TooDeep);
}

#[test]
fn what_cannot_become_a_row_costs_only_itself() {
    let analysis = analysed(json!({
        "utteranceInsights": [
            { "start": 0, "end": 1, "text": "kept", "confidence": "high", "speakerId": ["0"],
              "wordTimings": "none" },
            "not an object",
            { "start": 1, "end": 2 },
            { "start": -1, "end": 2, "text": "before the start" },
            { "start": 9, "end": 8, "text": "backwards" },
            { "start": 1, "end": 1e9, "text": "endless" },
            { "start": 3, "end": 4, "text": "last" },
        ],
        "speakerInsights": { "speakerCount": 5e9, "insights": [
            { "name": "Energy", "values": [{ "value": 3 }, { "speakerId": "0", "value": "loud" }] },
            { "values": [] },
            { "name": "Pace" },
        ]},
        "conversationalInsights": {},
        "trackerInsights": [{ "name": "t" }],
    }));
    let rows: Vec<_> = analysis.utterances.iter().map(|row| (row.seq, row.text.as_str())).collect();
    assert_eq!(rows, [(0, "kept"), (6, "last")]);
    assert_eq!((analysis.utterances[0].confidence, analysis.speaker_count), (None, None));
    assert_eq!(analysis.speaker_insights[0].number, None);
    assert_eq!(document(&analysis)["trackerInsights"][0]["name"], "t");
    let expected = [
        ("/utteranceInsights/0/confidence", "type"),
        ("/utteranceInsights/0/speakerId", "type"),
        ("/utteranceInsights/0/wordTimings", "type"),
        ("/utteranceInsights/1", "type"),
        ("/utteranceInsights/2/text", "missing"),
        ("/utteranceInsights/3/start", "range"),
        ("/utteranceInsights/4/end", "range"),
        ("/utteranceInsights/5/end", "range"),
        ("/speakerInsights/speakerCount", "range"),
        ("/speakerInsights/insights/0/values/0/speakerId", "missing"),
        ("/speakerInsights/insights/0/values/1/value", "type"),
        ("/speakerInsights/insights/1/name", "missing"),
        ("/speakerInsights/insights/2/values", "missing"),
        ("/conversationalInsights", "type"),
    ];
    assert_eq!(found(&analysis.issues), expected);
}

#[test]
fn numbers_and_names_in_other_dress_are_no_issue() {
    let words = json!([{ "word": "hm", "start": 2.5, "end": 2.75 }]);
    let analysis = analysed(json!({
        "utteranceInsights": [{ "start": "2.5", "end": " 3 ", "text": "hm", "enrollmentId": 7,
                                "wordTimings": words }],
        "speakerInsights": { "speakerCount": "2", "insights": [
            { "name": "Pace", "values": [{ "speakerId": 0, "value": "fast", "wpm": "181.5" },
                                         { "speakerId": 1, "value": 140 }] },
            { "name": "Patience", "values": [{ "speakerId": "0", "value": "2.25" }] },
            { "name": "QuestionsAsked", "values": [
                { "speakerId": "0", "value": "1", "questions": ["Really?", { "question": "Is it?", "start": 1, "end": 2 }] }] },
        ]},
        "conversationalInsights": [
            { "name": "ExtractiveSummary", "values": [{ "sentence": "In short.", "start": 1, "end": 2 }] },
            { "name": "QiQa", "values": [{ "question": "Why?", "answer": "Because.", "speakerId": 1 }] },
        ],
    }));
    assert_eq!(analysis.issues, []);
    assert_eq!((analysis.utterances[0].start, analysis.utterances[0].end), (2.5, 3.0));
    assert_eq!(analysis.utterances[0].speaker_id.as_deref(), Some("7"));
    assert_eq!(analysis.utterances[0].word_timings, Some(words.to_string()));
    let numbers: Vec<_> = analysis.speaker_insights.iter().map(|insight| insight.number).collect();
    assert_eq!(numbers, [Some(181.5), Some(140.0), Some(2.25), Some(1.0)]);
    assert_eq!(analysis.questions[0].text, "Really?");
    assert_eq!(analysis.questions[1].text, "Is it?");
    let [extract, answer] = &analysis.conversation_insights[..] else { panic!("two rows") };
    assert_eq!((extract.value.as_str(), extract.extra.as_str()), ("In short.", "{}"));
    assert_eq!(
        (answer.value.as_str(), &json_of(&answer.extra)["answer"]),
        ("Why?", &json!("Because."))
    );
}

#[test]
fn unknown_insights_are_rows_and_a_repeated_name_is_numbered_on() {
    let analysis = analysed(json!({
        "speakerInsights": { "insights": [
            { "name": "Tone", "values": [{ "speakerId": "0", "value": "warm" },
                                         { "speakerId": "0", "value": "cold" }] },
        ]},
        "conversationalInsights": [
            { "name": "Weather", "values": [{ "value": "sun", "groupId": "1" }, 5] },
            { "name": "Weather", "values": [{ "value": "rain" }] },
        ],
    }));
    assert_eq!(analysis.speaker_insights.len(), 1);
    assert_eq!(analysis.speaker_insights[0].value, "warm");
    let seqs: Vec<_> = analysis.conversation_insights.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, [0, 2]);
    assert_eq!(json_of(&analysis.conversation_insights[0].extra)["groupId"], "1");
    let expected = [
        ("/speakerInsights/insights/0/values/1", "duplicate"),
        ("/conversationalInsights/0/values/1", "type"),
    ];
    assert_eq!(found(&analysis.issues), expected);
}

#[test]
fn a_ratio_that_is_none_has_no_number_but_a_row() {
    let ratio = |value: Value| {
        let values = json!([{ "speakerId": "0", "value": value }]);
        let insights = json!([{ "name": "TalkToListenRatio", "values": values }]);
        analysed(json!({ "speakerInsights": { "insights": insights } }))
    };
    for (value, share) in [(json!("33:66"), 33.0), (json!("0:100"), 0.0), (json!(58), 58.0)] {
        assert_eq!(ratio(value).speaker_insights[0].number, Some(share));
    }
    for value in [json!("58:99"), json!("a:b"), json!(":"), json!("-1:101"), json!("NaN:1")] {
        let analysis = ratio(value);
        assert_eq!(analysis.speaker_insights[0].number, None);
        assert_eq!(found(&analysis.issues)[0].1, "type");
    }
}

#[test]
fn nul_is_kept_in_the_document_and_replaced_in_rows() {
    let analysis = analysed(json!({
        "utteranceInsights": [{ "start": 0, "end": 1, "text": "a\0b", "wordTimings": [{ "word": "\0" }] }],
        "conversationalInsights": [{ "name": "Tasks", "values": [{ "value": "v", "k\0": ["\0"] }] }],
    }));
    assert_eq!(document(&analysis)["utteranceInsights"][0]["text"], "a\0b");
    assert_eq!(analysis.utterances[0].text, "a\u{FFFD}b");
    let timings = analysis.utterances[0].word_timings.as_deref().map(json_of);
    assert_eq!(timings, Some(json!([{ "word": "\u{FFFD}" }])));
    let extra = json_of(&analysis.conversation_insights[0].extra);
    assert_eq!(extra["k\u{FFFD}"], json!(["\u{FFFD}"]));
    let expected = [
        ("/utteranceInsights/0/text", "encoding"),
        ("/utteranceInsights/0/wordTimings", "encoding"),
        ("/conversationalInsights/0/values/0", "encoding"),
    ];
    assert_eq!(found(&analysis.issues), expected);
}

#[test]
fn what_only_looks_like_nul_is_stored_as_it_is() {
    let word = json!([{ "word": r"\u0000" }]);
    let analysis = analysed(json!({
        "utteranceInsights": [{ "start": 0, "end": 1, "text": "", "wordTimings": word }],
    }));
    let timings = analysis.utterances[0].word_timings.as_deref().map(json_of);
    assert_eq!((timings, found(&analysis.issues)), (Some(word), vec![]));
}

#[test]
fn mended_bodies_are_read_and_say_what_was_mended() {
    let body = b"\xEF\xBB\xBF{\"status\": \"Success\", \"response\": {\"utteranceInsights\": [
        {\"start\": 1, \"end\": 2, \"text\": \"caf\xE9 \\ud83d\", \"confidence\": 1e400}]}}";
    let analysis = success(parse(body).unwrap());
    assert_eq!(analysis.utterances[0].text, "caf\u{FFFD} \u{FFFD}");
    assert_eq!(document(&analysis)["utteranceInsights"][0]["confidence"], Value::Null);
    let codes: Vec<_> = analysis.issues.iter().map(|issue| issue.code.as_str()).collect();
    assert_eq!(codes, ["encoding", "encoding", "encoding", "range"]);
}

#[test]
fn of_a_repeated_key_the_last_one_counts() {
    let body = br#"{"status": "Fail", "status": "InProgress"}"#;
    assert_eq!(parse(body).unwrap().analysis_status, AnalysisStatus::InProgress);
}

#[test]
fn many_issues_are_summed_up() {
    let analysis = analysed(json!({ "utteranceInsights": vec![1; 1000] }));
    assert_eq!(analysis.issues.len(), MOST_ISSUES + 1);
    let last = analysis.issues.last().unwrap();
    assert_eq!((last.code.as_str(), last.detail.as_str()), ("more", "900 more issues, not listed"));
}
