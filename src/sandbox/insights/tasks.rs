//! Tasks: sentences in which a speaker promises to do something, or asks for it.
use serde_json::{Value, json};

use super::super::conversation::{Conversation, Utterance};

/// Openings of a promise.
const PROMISES: &[&str] = &["i will ", "i'll ", "we will ", "we'll ", "let me "];
/// Openings of a request.
const REQUESTS: &[&str] =
    &["please send ", "please call ", "please check ", "can you send ", "could you send "];

/// A promise is assigned to its speaker; the addressee of a request is unknown, so it has no assignee.
pub fn values(conversation: &Conversation) -> Vec<Value> {
    let task = |said: &Utterance| {
        let text = said.text.to_lowercase();
        let has = |openings: &[&str]| openings.iter().any(|opening| text.contains(opening));
        let is_question = said.text.ends_with('?');
        let is_promise = has(PROMISES) && !is_question;
        if !is_promise && !has(REQUESTS) {
            return None;
        }
        let speaker = &conversation.speakers[said.speaker].id;
        let mut value = json!({
            "start": said.start,
            "end": said.end,
            "value": said.text,
            "confidence": said.confidence,
            "speakerId": speaker,
            "category": "NextStep",
            "text": said.text,
        });
        if is_promise {
            value["assignee"] = json!(speaker);
        }
        Some(value)
    };
    conversation.utterances.iter().filter_map(task).collect()
}
