//! The rows expected for a response of the provider, computed without the product's parser.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::records::TABLES;

/// Rows by table, in the order of [`TABLES`].
pub fn rows(response: &Value) -> [Vec<Value>; TABLES.len()] {
    let said = list(&response["utteranceInsights"]);
    let about = values(&response["speakerInsights"]["insights"]);
    let questions = about.iter().filter(|(name, ..)| name == "QuestionsAsked");
    let questions = questions.flat_map(|(_, _, value)| {
        let of_speaker = |q: &Value| json!([value["speakerId"], q["text"], q["start"], q["end"]]);
        list(&value["questions"]).iter().map(of_speaker).collect::<Vec<_>>()
    });
    let mut conversation = values(&response["conversationalInsights"]);
    conversation.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let conversation = conversation.iter().map(|(name, seq, value)| {
        let text = ["value", "sentence", "question"].iter().find_map(|text| value.get(*text));
        json!([name, seq, text, value["start"], value["end"], value["confidence"]])
    });
    [
        said.iter().enumerate().map(|(seq, utterance)| row(seq, utterance)).collect(),
        speakers(said, &about),
        about
            .iter()
            .map(|(name, _, value)| json!([value["speakerId"], name, value["value"]]))
            .collect(),
        questions.collect(),
        conversation.collect(),
    ]
}

fn row(seq: usize, u: &Value) -> Value {
    let emotion = list(&u["insights"]).iter().find(|insight| insight["name"] == "Emotion");
    let of_emotion = |member: &str| emotion.map_or(Value::Null, |emotion| emotion[member].clone());
    json!([
        seq,
        u["start"],
        u["end"],
        u["text"],
        u["confidence"],
        u["speakerId"],
        of_emotion("value"),
        of_emotion("confidence"),
        u["wordTimings"],
    ])
}

fn speakers(said: &[Value], about: &[(String, usize, &Value)]) -> Vec<Value> {
    let mut talk: BTreeMap<String, (usize, usize, f64)> = BTreeMap::new();
    for (.., value) in about {
        talk.entry(text(&value["speakerId"])).or_default();
    }
    for utterance in said {
        let speaker = talk.entry(text(&utterance["speakerId"])).or_default();
        speaker.0 += 1;
        speaker.1 += text(&utterance["text"]).split_whitespace().count();
        speaker.2 += utterance["end"].as_f64().unwrap() - utterance["start"].as_f64().unwrap();
    }
    let row = |(id, (utterances, words, seconds)): (String, (usize, usize, f64))| {
        json!([id, utterances, words, (seconds * 1e6).round() / 1e6])
    };
    talk.into_iter().map(row).collect()
}

/// Each value of each insight, with the insight's name and the value's index within that name.
fn values<'a>(insights: &'a Value) -> Vec<(String, usize, &'a Value)> {
    let of = |insight: &'a Value| {
        let place = |(seq, value)| (text(&insight["name"]), seq, value);
        list(&insight["values"]).iter().enumerate().map(place).collect::<Vec<_>>()
    };
    list(insights).iter().flat_map(of).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Converts numbers written as strings to numbers: columns have fixed types, and the fault
/// `wrong-types` swaps them.
pub fn loosely(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::String(text) => text.parse::<f64>().map_or_else(|_| value.clone(), |n| json!(n)),
        Value::Array(items) => items.iter().map(loosely).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), loosely(member))).collect()
        }
        Value::Null | Value::Bool(_) => value.clone(),
    }
}
