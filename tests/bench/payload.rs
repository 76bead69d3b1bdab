//! Deliveries of the provider: a short clip and a long call.
use serde_json::{Value, json};

/// Utterances in the long call.
const CALL_UTTERANCES: u32 = 400;
const WORDS: [&str; 16] = [
    "thanks", "for", "calling", "about", "the", "delayed", "parcel", "which", "should", "have",
    "arrived", "last", "Tuesday", "at", "our", "office",
];

/// The provider's job id, the same in every delivery and attempt.
pub const PROVIDER_JOB_ID: &str = "7f1c2a90-1111-11ef-9a3b-0242ac120002";

#[derive(Debug, Clone)]
pub struct Payload {
    pub name: &'static str,
    pub body: Vec<u8>,
}

/// One utterance and a handful of insights.
pub fn clip() -> Payload {
    payload("clip", 1)
}

/// A call of 400 utterances with emotions and word timings.
pub fn call() -> Payload {
    payload("call", CALL_UTTERANCES)
}

fn payload(name: &'static str, utterances: u32) -> Payload {
    let body = json!({
        "jobId": PROVIDER_JOB_ID,
        "api": "/ai/insights/v1/async/analyze-interaction",
        "creationTime": "2025-03-04T09:10:11.250Z",
        "completionTime": "2025-03-04T09:10:31.000Z",
        "expirationTime": "2025-03-11T09:10:11.250Z",
        "status": "Success",
        "response": {
            "utteranceInsights": (0..utterances).map(utterance).collect::<Vec<_>>(),
            "speakerInsights": { "speakerCount": 2, "insights": [
                about_speakers("Energy", &json!(71.25), &json!(64.5)),
                about_speakers("Pace", &json!("medium"), &json!("fast")),
                about_speakers("TalkToListenRatio", &json!("61:39"), &json!("39:61")),
                { "name": "QuestionsAsked", "values": [{ "speakerId": "1", "value": 1,
                    "questions": [{ "text": "Where is my parcel?", "start": 3.3, "end": 5.0 }] }] },
            ]},
            "conversationalInsights": [
                { "name": "AbstractiveSummaryShort", "values": [
                    { "start": 0.4, "end": 5.0, "value": words(0, 24), "confidence": 0.8 }] },
                { "name": "KeyPhrases", "values": [
                    { "start": 1.1, "end": 2.0, "value": "parcel", "confidence": 0.8 },
                    { "start": 4.1, "end": 5.0, "value": "office", "confidence": 0.7 }] },
                { "name": "Tasks", "values": [{ "start": 4.1, "end": 5.0,
                    "value": words(6, 9), "confidence": 0.6, "assignee": "1", "groupId": "1" }] },
            ],
        },
    });
    Payload { name, body: body.to_string().into_bytes() }
}

fn about_speakers(name: &str, first: &Value, second: &Value) -> Value {
    json!({ "name": name, "values": [
        { "speakerId": "0", "value": first }, { "speakerId": "1", "value": second },
    ]})
}

fn utterance(n: u32) -> Value {
    let (start, length) = (f64::from(n) * 4.5, 8 + n % 9);
    let timings = (0..length).map(|word| {
        let at = start + f64::from(word) * 0.25;
        json!({ "word": word_at(n + word), "start": at, "end": at + 0.125 })
    });
    json!({
        "start": start,
        "end": start + f64::from(length) * 0.25,
        "text": words(n, length),
        "confidence": 0.9125,
        "speakerId": (n % 2).to_string(),
        "wordTimings": timings.collect::<Vec<_>>(),
        "insights": [{ "name": "Emotion", "value": "Trust", "confidence": 0.625 }],
    })
}

fn words(first: u32, count: u32) -> String {
    (first..first + count).map(word_at).collect::<Vec<_>>().join(" ")
}

fn word_at(n: u32) -> &'static str {
    WORDS.iter().cycle().nth((n % 16) as usize).copied().unwrap_or_default()
}
